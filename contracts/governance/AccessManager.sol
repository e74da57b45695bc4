// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager as OpenZeppelinAccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title AccessManager: who may change which parameter, and after which delay. OpenZeppelin's, unchanged.
/// @custom:stop guardian: `cancel` a scheduled change.
contract AccessManager is OpenZeppelinAccessManager {
    constructor(address initialAdmin) OpenZeppelinAccessManager(initialAdmin) {}
}
