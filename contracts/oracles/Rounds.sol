// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOracle} from "../interfaces/IOracle.sol";

/// @notice What the adapter reads of a Chainlink proxy or aggregator.
interface IChainlinkFeed {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80);
    function phaseAggregators(uint16 phase) external view returns (address);
}

/// @notice A round as the feed returned it, in full words.
/// @param id Phase in the high 16 of 80 bits; Rounds.UNREADABLE when the feed did not answer with a round.
/// @param answeredIn Round in which the answer was made; earlier than `id` when it was carried over.
struct Round {
    uint256 id;
    int256 answer;
    uint256 startedAt;
    uint256 updatedAt;
    uint256 answeredIn;
}

/// @notice Reads feeds. One that reverts, has no code, burns its gas or returns rubbish does not revert the reader.
library Rounds {
    uint256 internal constant UNREADABLE = type(uint256).max;
    /// @dev Most gas a feed may burn. A failing call counts as the feed's only when it surely had that much.
    uint256 private constant FEED_GAS = 300_000;

    /// @notice The feed's latest round.
    function latest(address feed) internal view returns (Round memory) {
        return _read(feed, IChainlinkFeed.latestRoundData.selector, 0, 4);
    }

    /// @notice A past round of the feed.
    function at(address feed, uint256 roundId) internal view returns (Round memory) {
        return _read(feed, IChainlinkFeed.getRoundData.selector, roundId, 36);
    }

    /// @notice Decimals of the feed; UNREADABLE when it does not say.
    function decimalsOf(address feed) internal view returns (uint256) {
        return _word(feed, IChainlinkFeed.decimals.selector, 0, 4);
    }

    /// @notice Aggregator behind a phase of the proxy; the zero address when there is none.
    function aggregatorOf(address feed, uint256 phase) internal view returns (address) {
        uint256 word = _word(feed, IChainlinkFeed.phaseAggregators.selector, phase, 36);
        return word > type(uint160).max ? address(0) : address(uint160(word));
    }

    /// @dev Not abi.decode: it reverts on short data and dirty words. Only the five words are ever copied.
    function _read(address feed, bytes4 selector, uint256 argument, uint256 length)
        private
        view
        returns (Round memory r)
    {
        bool ok;
        uint256 size;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, argument)
            ok := staticcall(FEED_GAS, feed, 0, length, r, 0xa0)
            size := returndatasize()
        }
        if (!ok) _requireGas();
        if (!ok || size < 0xa0 || r.id > type(uint80).max || r.answeredIn > type(uint80).max) r.id = UNREADABLE;
    }

    function _word(address feed, bytes4 selector, uint256 argument, uint256 length)
        private
        view
        returns (uint256 word)
    {
        bool ok;
        uint256 size;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, argument)
            ok := staticcall(FEED_GAS, feed, 0, length, 0, 0x20)
            size := returndatasize()
            word := mload(0)
        }
        if (!ok) _requireGas();
        if (!ok || size < 0x20) return UNREADABLE;
    }

    /// @dev A call leaves its caller at least 1/64 of the gas. With this much left, the call that failed had all of
    /// FEED_GAS: it failed by itself, and not because somebody wanted a dead feed.
    function _requireGas() private view {
        if (gasleft() < FEED_GAS / 63) revert IOracle.OracleGasTooLow(gasleft(), FEED_GAS / 63);
    }
}
