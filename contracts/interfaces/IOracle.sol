// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Price, PriceStatus} from "../types/Market.sol";

/// @notice One price source of the protocol: turns an outside feed into WAD quote per lot, or says why it cannot.
/// @dev Prices are WAD quote per lot. Times are seconds. `answer` is in the feed's own decimals.
interface IOracle {
    /// @notice The feed began or ended to be watched as silent; see `witness`. 0 when it answers.
    event SilenceWitnessed(uint256 since);

    // The failing checks, as `required` and `priceAt` report them, in the order in which they are made

    /// @notice Thrown when the L2 sequencer is down (0 is up), or its feed does not answer.
    error OracleSequencerDown(address feed, int256 answer);
    /// @notice Thrown until the grace period after the sequencer's return is over; `startedAt` 0 means never started.
    error OracleSequencerGrace(address feed, uint256 startedAt, uint256 openAt);
    /// @notice Thrown when the feed reverts, has no code, or returns something that is not a round.
    error OracleNoAnswer(address feed, uint256 roundId);
    /// @notice Thrown when the feed no longer has the decimals that the adapter was made for.
    error OracleDecimalsChanged(address feed, uint256 decimals, uint256 expected);
    error OracleNotPositive(address feed, int256 answer);
    /// @notice Thrown when a round has no date, or carries the answer of an earlier round.
    error OracleIncomplete(
        address feed, uint256 roundId, uint256 answeredInRound, uint256 startedAt, uint256 updatedAt
    );
    error OracleFromFuture(address feed, uint256 updatedAt, uint256 nowAt);
    error OracleStale(address feed, uint256 nowAt, uint256 validUntil);
    /// @notice Thrown when the answer is outside the absolute bounds, both in the feed's decimals.
    error OracleOutOfBounds(address feed, int256 answer, int256 minimum, int256 maximum);
    /// @notice Thrown when a fresh second source differs by more than `allowed`, all WAD quote per lot.
    error OracleDiverged(uint256 value, uint256 second, uint256 allowed);

    // The round proof

    /// @notice Thrown when the price of a time to come is asked for.
    error OracleTimeInFuture(uint256 time, uint256 nowAt);
    /// @notice Thrown when the named round was written before `time`.
    error OracleRoundTooEarly(uint256 roundId, uint256 updatedAt, uint256 time);
    /// @notice Thrown when the named round was written more than a heartbeat after `time`: the feed slept then.
    error OracleRoundTooLate(uint256 roundId, uint256 updatedAt, uint256 latest);
    /// @notice Thrown when `earlier`, not the named round, has the first price at or after `time`.
    error OracleRoundNotFirst(uint256 roundId, uint256 earlier, uint256 updatedAt);

    // Construction, and gas

    /// @notice Thrown when a configuration value is outside its bound.
    error OracleConfig(bytes32 field, uint256 value, uint256 bound);
    error OracleNoCode(bytes32 field, address feed);
    /// @notice Thrown instead of a failing status when the caller may have starved the feed of gas.
    error OracleGasTooLow(uint256 left, uint256 minimum);

    /// @notice The price for this transaction. The first call fixes it; later calls in the transaction repeat it.
    /// @dev Never reverts because of the feed: a failing check is a status, so that one dead feed stops only what needs it.
    function read() external returns (Price memory);

    /// @notice What `read` would return now.
    function peek() external view returns (Price memory);

    /// @notice The price, or the named error of the failing check with the numbers that disagreed.
    function required() external view returns (Price memory);

    /// @notice Seconds for which the primary feed has been silent beyond its heartbeat; 0 while it answers.
    /// @dev A second source that disagrees or a sequencer that is down never counts as silence; the time that the
    /// sequencer was down does not either. Silence without a date (the feed reverts, or its answer is unusable) counts
    /// only as far as `witness` saw it.
    function silentFor() external view returns (uint256);

    /// @notice Notes that the primary feed gives no usable answer now, or that it does again. Anyone may.
    /// @dev Silence lasts from the first of witnesses that are at most WITNESS_GAP (an hour) apart.
    function witness() external;

    /// @notice The first price at or after `time`, proved by naming its round.
    /// @dev In each phase of the proxy the candidate is the first round at or after `time`, if that is at most a
    /// heartbeat later. The price is that of the candidate in the lowest phase that has one. So one round at most is
    /// right, whoever names it. Reverts when the feed slept at `time`.
    /// @param time Seconds; not in the future.
    /// @param roundId The proxy's round id, phase in the high bits.
    /// @return WAD quote per lot.
    function priceAt(uint256 time, uint80 roundId) external view returns (uint256);

    /// @notice Largest value `read` can return, WAD quote per lot.
    function maximum() external view returns (uint256);
}
