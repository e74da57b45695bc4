// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IInsuranceFund {
    function allotmentOf(uint256 market) external view returns (uint256);
    function draw(uint256 market, uint256 wanted, uint256 capital) external returns (uint256);
}
