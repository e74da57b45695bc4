// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";

/// @notice An insurance fund whose allotment of any market is what it was told.
contract MockInsurance is IInsuranceFund {
    uint256 public allotment;

    function setAllotment(uint256 amount) external {
        allotment = amount;
    }

    function draw(uint256, uint256 wanted, uint256 capital) external returns (uint256 amount) {
        amount = wanted < allotment ? wanted : allotment;
        if (amount > capital) amount = capital;
        allotment -= amount;
    }

    function allotmentOf(uint256) external view returns (uint256) {
        return allotment;
    }
}
