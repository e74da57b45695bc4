// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "./AccountId.sol";

/// @notice How accounts below their maintenance margin are taken over in one market. Rates in ppm of the value taken.
/// rewardMin 24 | rewardMax 24 | penalty 24 | target 24 | minLot 32 | wholeBelow 32 | minReward 32 | budget 24 = 216 bits
/// @param rewardMin Reward where equity is just below maintenance. @param rewardMax Where equity is 0.
/// @param penalty What goes to insurance. @param target What a takeover restores: equity over maintenance, ppm (1e6 is 1).
/// @param minLot Least value taken at a time, whole quote. @param wholeBelow A position that would be left with less
/// than this is taken whole, whole quote. @param minReward Least reward, topped up by insurance, 1e-3 quote.
/// @param budget Most that top-ups may cost a day, ppm of the market's allotment of insurance.
struct LiquidationTerms {
    uint24 rewardMin;
    uint24 rewardMax;
    uint24 penalty;
    uint24 target;
    uint32 minLot;
    uint32 wholeBelow;
    uint32 minReward;
    uint24 budget;
}

/// @notice What the liquidator asks the clearing house to move.
/// @param market Where. @param victim The unhealthy account. @param taker Who takes the position, and the reward.
/// @param maxSize Most lots to take, WAD. @param topUp Most that insurance may add to the reward, WAD quote.
/// @param venue Where the taker sells at once what he takes, or 0: he keeps it.
/// @param expected The victim's stored position word, or 0 for any: who comes second finds out early.
/// @param minNet Least that the taker's account must gain, WAD quote; negative when it may lose.
struct Takeover {
    uint256 market;
    AccountId victim;
    AccountId taker;
    uint256 maxSize;
    uint256 topUp;
    address venue;
    uint256 expected;
    int256 minNet;
}

/// @notice What was moved, WAD. @param size Change of the victim's position, lots. @param reward What the victim paid the
/// taker, quote. @param penalty What insurance received. @param topUp What insurance added to the reward.
/// @param net What the taker's account gained, the venue's price and fee included.
struct Taken {
    int256 size;
    uint256 reward;
    uint256 penalty;
    uint256 topUp;
    int256 net;
}
