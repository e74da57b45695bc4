// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title MockFeed: a Chainlink proxy in which every word can be set, and which can misbehave.
/// @dev Round ids are the proxy's: phase << 64 | round. Also serves as a sequencer uptime feed (answer 0 is up).
/// @custom:stop tests only; where Chainlink's own contracts can run, use those.
contract MockFeed {
    enum Mode {
        Normal,
        Reverting,
        ShortData,
        DirtyWords,
        BurningGas
    }

    struct Round {
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint256 answeredIn;
        bool exists;
    }

    uint256 public decimals;
    uint256 public latest;
    Mode public mode;
    mapping(uint256 id => Round) public rounds;
    mapping(uint16 phase => address) public phaseAggregators;

    error NoData(uint256 id);

    constructor(uint256 decimals_) {
        decimals = decimals_;
    }

    /// @notice Writes a round dated now into phase 1 and makes it the latest.
    function push(int256 answer) external {
        uint256 id = latest == 0 ? 1 << 64 | 1 : latest + 1;
        latest = id;
        rounds[id] = Round(answer, block.timestamp, block.timestamp, id, true);
    }

    /// @notice Writes any round, word by word, and makes it the latest.
    function set(uint256 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint256 answeredIn) external {
        latest = id;
        rounds[id] = Round(answer, startedAt, updatedAt, answeredIn, true);
    }

    /// @notice Writes a past round; the latest stays.
    function setPast(uint256 id, int256 answer, uint256 at) external {
        rounds[id] = Round(answer, at, at, id, true);
    }

    function remove(uint256 id) external {
        delete rounds[id];
    }

    function setLatest(uint256 id) external {
        latest = id;
    }

    function setDecimals(uint256 decimals_) external {
        decimals = decimals_;
    }

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function setPhaseAggregator(uint16 phase, address aggregator) external {
        phaseAggregators[phase] = aggregator;
    }

    function phaseId() external view returns (uint16) {
        return uint16(latest >> 64);
    }

    function latestRoundData() external view returns (uint256, int256, uint256, uint256, uint256) {
        return _round(latest);
    }

    function getRoundData(uint80 id) external view returns (uint256, int256, uint256, uint256, uint256) {
        return _round(id);
    }

    function _round(uint256 id) private view returns (uint256, int256, uint256, uint256, uint256) {
        if (mode == Mode.ShortData) {
            assembly ("memory-safe") {
                return(0, 0x80)
            }
        }
        if (mode == Mode.BurningGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        Round memory r = rounds[id];
        if (mode == Mode.Reverting || !r.exists) revert NoData(id);
        uint256 dirt = mode == Mode.DirtyWords ? 1 << 80 : 0;
        return (id | dirt, r.answer, r.startedAt, r.updatedAt, r.answeredIn);
    }
}
