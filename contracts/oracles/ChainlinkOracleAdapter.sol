// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOracle} from "../interfaces/IOracle.sol";
import {Price, PriceStatus} from "../types/Market.sol";
import {Round, Rounds} from "./Rounds.sol";

/// @title ChainlinkOracleAdapter: turns the rounds of one Chainlink feed into WAD quote per lot, or says why it cannot.
/// @dev The configuration is immutable, and a price costs no storage read: another feed or bound is another adapter.
/// Assumes of a phase that its rounds are numbered from 1 without gaps and that their dates never go back.
/// value = answer * 10^(18 - decimals + lotExponent), rounded down; e below is that exponent.
/// @custom:stop nothing to stop: a market whose adapter is wrong is made reduce-only, and settles at its last good index.
contract ChainlinkOracleAdapter is IOracle {
    /// @param feed Primary feed: an EACAggregatorProxy, or an aggregator.
    /// @param second Second source, or 0. While it is fresh it must agree; dead or stale it does not count.
    /// @param sequencer L2 sequencer uptime feed, or 0.
    /// @param heartbeat Seconds after which a round of the feed is stale.
    /// @param secondHeartbeat The same of the second source.
    /// @param sequencerGrace Seconds after the sequencer's return in which no price is given.
    /// @param maxDivergence Largest difference of the second source, as a part of the price, WAD.
    /// @param minimum Least price given, WAD quote per lot. @param maximum Greatest price given.
    /// @param lotExponent A lot is 10^lotExponent units of the base.
    struct Config {
        address feed;
        address second;
        address sequencer;
        uint32 heartbeat;
        uint32 secondHeartbeat;
        uint32 sequencerGrace;
        uint64 maxDivergence;
        uint128 minimum;
        uint128 maximum;
        int8 lotExponent;
    }

    uint256 public constant MAX_HEARTBEAT = 2 days;
    uint256 public constant MIN_GRACE = 1 minutes;
    uint256 public constant MAX_GRACE = 1 days;
    uint256 public constant MIN_DIVERGENCE = 0.001e18; // (0.1 %)
    uint256 public constant MAX_DIVERGENCE = 0.5e18; // (50 %)
    int256 public constant MAX_LOT_EXPONENT = 18;
    uint256 public constant WITNESS_GAP = 1 hours;

    uint256 private constant PHASE_OFFSET = 64;
    uint256 private constant CACHED_BIT = 1 << 200;

    address private immutable _feed;
    address private immutable _second;
    address private immutable _sequencer;
    uint256 private immutable _heartbeat;
    uint256 private immutable _secondHeartbeat;
    uint256 private immutable _grace;
    uint256 private immutable _maxDivergence;
    uint256 private immutable _minimum;
    int256 private immutable _lotExponent;
    /// @inheritdoc IOracle
    uint256 public immutable maximum;

    // Made in the constructor of the above and of what the feeds said then. A feed can change its decimals only with
    // its aggregator, and then its phase changes: so they are read again only in another phase.
    uint256 private immutable _decimals;
    uint256 private immutable _phase;
    uint256 private immutable _secondDecimals;
    uint256 private immutable _secondPhase;
    uint256 private immutable _multiplier; // 10^e when e >= 0, else 1
    uint256 private immutable _divisor; // 10^-e when e < 0, else 1
    int256 private immutable _minAnswer; // least and greatest answer whose value is inside the bounds
    int256 private immutable _maxAnswer;

    /// @dev status 8 << 192 | updatedAt 64 << 128 | value 128, and CACHED_BIT.
    uint256 private transient _cached;

    /// @dev Witnessed silence: from `_silentSince` to `_silentSeenAt`, both 0 when there is none. 64 | 64 bits.
    uint64 private _silentSince;
    uint64 private _silentSeenAt;

    constructor(Config memory c) {
        _checkConfig(c);
        _feed = c.feed;
        _second = c.second;
        _sequencer = c.sequencer;
        _heartbeat = c.heartbeat;
        _secondHeartbeat = c.secondHeartbeat;
        _grace = c.sequencerGrace;
        _maxDivergence = c.maxDivergence;
        _minimum = c.minimum;
        maximum = c.maximum;
        _lotExponent = c.lotExponent;
        (_decimals, _phase) = _describe("feed", c.feed);
        if (c.second != address(0)) (_secondDecimals, _secondPhase) = _describe("second", c.second);
        if (c.sequencer != address(0) && c.sequencer.code.length == 0) revert OracleNoCode("sequencer", c.sequencer);
        (_multiplier, _divisor) = _scale(_decimals, c.lotExponent);
        _minAnswer = int256((c.minimum * _divisor + _multiplier - 1) / _multiplier);
        _maxAnswer = int256(((uint256(c.maximum) + 1) * _divisor - 1) / _multiplier);
        if (_maxAnswer < _minAnswer) revert OracleConfig("maximum", c.maximum, c.minimum);
    }

    /// @notice The configuration that the adapter was made with.
    function config() external view returns (Config memory) {
        return Config({
            feed: _feed,
            second: _second,
            sequencer: _sequencer,
            heartbeat: uint32(_heartbeat),
            secondHeartbeat: uint32(_secondHeartbeat),
            sequencerGrace: uint32(_grace),
            maxDivergence: uint64(_maxDivergence),
            minimum: uint128(_minimum),
            maximum: uint128(maximum),
            lotExponent: int8(_lotExponent)
        });
    }

    /// @notice Decimals of the feed when the adapter was made.
    function decimals() external view returns (uint256) {
        return _decimals;
    }

    /// @inheritdoc IOracle
    function read() external returns (Price memory) {
        uint256 word = _cached;
        if (word == 0) {
            word = _evaluate() | CACHED_BIT;
            _cached = word;
        }
        uint256 validFor = _heartbeat;
        // What `return _price(word)` encodes, for a quarter of the gas: this is on the path of every trade.
        assembly ("memory-safe") {
            let updatedAt := and(shr(128, word), 0xffffffffffffffff)
            let p := mload(0x40)
            mstore(p, and(word, 0xffffffffffffffffffffffffffffffff))
            mstore(add(p, 0x20), updatedAt)
            mstore(add(p, 0x40), mul(iszero(iszero(updatedAt)), add(updatedAt, validFor)))
            mstore(add(p, 0x60), and(shr(192, word), 0xff))
            return(p, 0x80)
        }
    }

    /// @inheritdoc IOracle
    function peek() public view returns (Price memory) {
        uint256 word = _cached;
        return _price(word == 0 ? _evaluate() : word);
    }

    /// @inheritdoc IOracle
    function required() external view returns (Price memory price) {
        price = peek();
        if (price.status == PriceStatus.Ok) return price;
        if (price.status == PriceStatus.SequencerDown) {
            revert OracleSequencerDown(_sequencer, Rounds.latest(_sequencer).answer);
        }
        if (price.status == PriceStatus.SequencerGrace) {
            uint256 startedAt = Rounds.latest(_sequencer).startedAt;
            revert OracleSequencerGrace(_sequencer, startedAt, startedAt + _grace);
        }
        Round memory r = Rounds.latest(_feed);
        _refuse(price.status, r);
        uint256 value = uint256(r.answer) * _multiplier / _divisor;
        revert OracleDiverged(value, _secondValue(), value * _maxDivergence / 1e18);
    }

    /// @inheritdoc IOracle
    function silentFor() external view returns (uint256) {
        Round memory r = Rounds.latest(_feed);
        if (_check(r) == PriceStatus.Ok) return 0;
        uint256 since = _isOld(r) ? r.updatedAt + _heartbeat : _witnessedSince();
        if (since == 0) return 0;
        if (_sequencer != address(0)) {
            Round memory s = Rounds.latest(_sequencer);
            if (s.id == Rounds.UNREADABLE || s.answer != 0 || s.startedAt == 0 || s.startedAt > block.timestamp) {
                return 0;
            }
            if (s.startedAt + _grace > since) since = s.startedAt + _grace;
        }
        return block.timestamp > since ? block.timestamp - since : 0;
    }

    /// @inheritdoc IOracle
    function witness() external {
        Round memory r = Rounds.latest(_feed);
        uint256 since;
        if (_check(r) != PriceStatus.Ok && !_isOld(r)) {
            since = _witnessedSince();
            if (since == 0) since = block.timestamp;
        }
        if (since != _silentSince) emit SilenceWitnessed(since);
        _silentSince = uint64(since);
        _silentSeenAt = since == 0 ? 0 : uint64(block.timestamp);
    }

    /// @inheritdoc IOracle
    function priceAt(uint256 time, uint80 roundId) external view returns (uint256) {
        if (time > block.timestamp) revert OracleTimeInFuture(time, block.timestamp);
        uint256 phase = roundId >> PHASE_OFFSET;
        Round memory r = Rounds.at(_feed, roundId);
        if (r.id == Rounds.UNREADABLE) revert OracleNoAnswer(_feed, roundId);
        uint256 decimals_ = _decimalsIn(phase);
        if (decimals_ != _decimals) revert OracleDecimalsChanged(_feed, decimals_, _decimals);
        PriceStatus status = _complete(r);
        if (status == PriceStatus.Ok) status = _bounded(r);
        if (status != PriceStatus.Ok) _refuse(status, r);

        if (r.updatedAt < time) revert OracleRoundTooEarly(roundId, r.updatedAt, time);
        if (r.updatedAt > time + _heartbeat) revert OracleRoundTooLate(roundId, r.updatedAt, time + _heartbeat);
        if (uint64(roundId) > 1) {
            // A phase whose round 1 cannot be read does not exist, for all who look at it.
            if (Rounds.at(_feed, phase << PHASE_OFFSET | 1).id == Rounds.UNREADABLE) {
                revert OracleNoAnswer(_feed, phase << PHASE_OFFSET | 1);
            }
            Round memory before = Rounds.at(_feed, roundId - 1);
            if (before.id == Rounds.UNREADABLE) revert OracleNoAnswer(_feed, roundId - 1);
            if (before.updatedAt >= time) revert OracleRoundNotFirst(roundId, roundId - 1, before.updatedAt);
        }
        for (uint256 lower = 1; lower < phase; ++lower) {
            uint256 candidate = _firstRound(lower, time);
            if (candidate != Rounds.UNREADABLE) {
                revert OracleRoundNotFirst(roundId, candidate, Rounds.at(_feed, candidate).updatedAt);
            }
        }
        return uint256(r.answer) * _multiplier / _divisor;
    }

    // The checks, in their order

    /// @dev The price of this moment as a word; value only when Ok, date only when the round is complete.
    function _evaluate() private view returns (uint256) {
        if (_sequencer != address(0)) {
            PriceStatus s = _checkSequencer();
            if (s != PriceStatus.Ok) return uint256(s) << 192;
        }
        Round memory r = Rounds.latest(_feed);
        PriceStatus status = _isPlain(r) ? PriceStatus.Ok : _check(r);
        uint256 value;
        if (status == PriceStatus.Ok) {
            value = uint256(r.answer) * _multiplier / _divisor;
            if (_second != address(0) && _isDiverged(value)) (status, value) = (PriceStatus.Diverged, 0);
        } else if (status != PriceStatus.Stale && status != PriceStatus.OutOfBounds) {
            return uint256(status) << 192; // the date is as doubtful as the rest
        }
        return uint256(status) << 192 | r.updatedAt << 128 | value;
    }

    function _price(uint256 word) private view returns (Price memory price) {
        price.value = uint128(word);
        price.updatedAt = uint64(word >> 128);
        if (price.updatedAt != 0) price.validUntil = price.updatedAt + _heartbeat;
        price.status = PriceStatus(uint8(word >> 192));
    }

    /// @dev A sequencer feed that does not answer counts as down.
    function _checkSequencer() private view returns (PriceStatus) {
        Round memory s = Rounds.latest(_sequencer);
        if (s.id == Rounds.UNREADABLE || s.answer != 0) return PriceStatus.SequencerDown;
        // A start in the future has not happened: the subtraction below would let it pass as long ago.
        if (s.startedAt == 0 || s.startedAt > block.timestamp || block.timestamp - s.startedAt < _grace) {
            return PriceStatus.SequencerGrace;
        }
        return PriceStatus.Ok;
    }

    /// @dev The checks of `_check` on the shortest way, for the round that passes all; false says nothing.
    function _isPlain(Round memory r) private view returns (bool) {
        return r.id >> PHASE_OFFSET == _phase && _phase != 0 && r.answer >= _minAnswer && r.answer <= _maxAnswer
            && r.startedAt != 0 && r.updatedAt != 0 && r.answeredIn >= r.id && r.updatedAt <= block.timestamp
            && block.timestamp - r.updatedAt <= _heartbeat;
    }

    /// @dev All checks of the primary feed's latest round.
    function _check(Round memory r) private view returns (PriceStatus status) {
        status = _usable(r, _feed, _phase, _decimals, _heartbeat);
        if (status == PriceStatus.Ok) status = _bounded(r);
    }

    /// @dev All checks of a latest round but the bounds.
    function _usable(Round memory r, address feed, uint256 phase, uint256 decimals_, uint256 heartbeat)
        private
        view
        returns (PriceStatus status)
    {
        if (r.id == Rounds.UNREADABLE) return PriceStatus.NoAnswer;
        uint256 current = r.id >> PHASE_OFFSET;
        // Phase 0 is no proxy: nothing would tell of a change.
        if ((current != phase || current == 0) && Rounds.decimalsOf(feed) != decimals_) return PriceStatus.NoAnswer;
        status = _complete(r);
        if (status == PriceStatus.Ok && block.timestamp > r.updatedAt + heartbeat) return PriceStatus.Stale;
    }

    function _bounded(Round memory r) private view returns (PriceStatus) {
        return r.answer < _minAnswer || r.answer > _maxAnswer ? PriceStatus.OutOfBounds : PriceStatus.Ok;
    }

    function _complete(Round memory r) private view returns (PriceStatus) {
        if (r.answer <= 0) return PriceStatus.NotPositive;
        if (r.updatedAt == 0 || r.startedAt == 0 || r.answeredIn < r.id) return PriceStatus.Incomplete;
        if (r.updatedAt > block.timestamp) return PriceStatus.FromFuture;
        return PriceStatus.Ok;
    }

    /// @dev Reverts with the primary feed's failing check; returns when it is not the primary's.
    function _refuse(PriceStatus status, Round memory r) private view {
        if (status == PriceStatus.NoAnswer) {
            if (r.id == Rounds.UNREADABLE) revert OracleNoAnswer(_feed, 0);
            revert OracleDecimalsChanged(_feed, Rounds.decimalsOf(_feed), _decimals);
        }
        if (status == PriceStatus.NotPositive) revert OracleNotPositive(_feed, r.answer);
        if (status == PriceStatus.Incomplete) {
            revert OracleIncomplete(_feed, r.id, r.answeredIn, r.startedAt, r.updatedAt);
        }
        if (status == PriceStatus.FromFuture) revert OracleFromFuture(_feed, r.updatedAt, block.timestamp);
        if (status == PriceStatus.Stale) revert OracleStale(_feed, block.timestamp, r.updatedAt + _heartbeat);
        if (status == PriceStatus.OutOfBounds) revert OracleOutOfBounds(_feed, r.answer, _minAnswer, _maxAnswer);
    }

    function _isDiverged(uint256 value) private view returns (bool) {
        uint256 other = _secondValue();
        if (other == 0) return false;
        return (other > value ? other - value : value - other) > value * _maxDivergence / 1e18;
    }

    /// @dev Value of the second source; 0 when it has none that is fresh and complete.
    function _secondValue() private view returns (uint256) {
        Round memory r = Rounds.latest(_second);
        if (_usable(r, _second, _secondPhase, _secondDecimals, _secondHeartbeat) != PriceStatus.Ok) return 0;
        (uint256 multiplier, uint256 divisor) = _scale(_secondDecimals, _lotExponent);
        // An absurd answer stays absurd when cut, and cannot overflow. Not 0 either: that means none.
        uint256 answer = uint256(r.answer) < type(uint128).max ? uint256(r.answer) : type(uint128).max;
        uint256 value = answer * multiplier / divisor;
        return value == 0 ? 1 : value;
    }

    // Silence

    function _isOld(Round memory r) private view returns (bool) {
        if (r.id == Rounds.UNREADABLE || r.updatedAt == 0 || r.updatedAt > block.timestamp) return false;
        return block.timestamp > r.updatedAt + _heartbeat;
    }

    function _witnessedSince() private view returns (uint256) {
        return block.timestamp > _silentSeenAt + WITNESS_GAP ? 0 : _silentSince;
    }

    // Past rounds

    /// @dev Id of the first round of `phase` at or after `time` if at most a heartbeat after it, else Rounds.UNREADABLE.
    /// Doubles, then halves: about 2 * log2(rounds) reads, and only of phases below the one that is asked for.
    function _firstRound(uint256 phase, uint256 time) private view returns (uint256) {
        uint256 base = phase << PHASE_OFFSET;
        if (Rounds.at(_feed, base | 1).id == Rounds.UNREADABLE) return Rounds.UNREADABLE;
        uint256 low; // the last round known to be before `time`, 0 for none
        uint256 high = 1; // a round that is at or after `time`, or does not exist
        while (high < 1 << 63 && _isBefore(base | high, time)) (low, high) = (high, high * 2);
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (_isBefore(base | middle, time)) low = middle;
            else high = middle;
        }
        Round memory r = Rounds.at(_feed, base | high);
        return r.id == Rounds.UNREADABLE || r.updatedAt > time + _heartbeat ? Rounds.UNREADABLE : base | high;
    }

    function _isBefore(uint256 roundId, uint256 time) private view returns (bool) {
        Round memory r = Rounds.at(_feed, roundId);
        return r.id != Rounds.UNREADABLE && r.updatedAt < time;
    }

    /// @dev Decimals in a phase: what was seen at the start, or what its aggregator says.
    function _decimalsIn(uint256 phase) private view returns (uint256) {
        if (phase == 0) return Rounds.decimalsOf(_feed);
        if (phase == _phase) return _decimals;
        return Rounds.decimalsOf(Rounds.aggregatorOf(_feed, phase));
    }

    // Construction

    function _checkConfig(Config memory c) private pure {
        _within("heartbeat", c.heartbeat, 1, MAX_HEARTBEAT);
        _within("minimum", c.minimum, 1, c.maximum == 0 ? 0 : c.maximum - 1);
        _within("maximum", c.maximum, 1, type(uint80).max);
        bool hasSecond = c.second != address(0);
        if (c.second == c.feed) revert OracleConfig("second", uint160(c.second), uint160(c.feed));
        _within("secondHeartbeat", c.secondHeartbeat, hasSecond ? 1 : 0, hasSecond ? MAX_HEARTBEAT : 0);
        _within("maxDivergence", c.maxDivergence, hasSecond ? MIN_DIVERGENCE : 0, hasSecond ? MAX_DIVERGENCE : 0);
        bool hasSequencer = c.sequencer != address(0);
        _within("sequencerGrace", c.sequencerGrace, hasSequencer ? MIN_GRACE : 0, hasSequencer ? MAX_GRACE : 0);
        int256 e = c.lotExponent;
        _within("lotExponent", uint256(e < 0 ? -e : e), 0, uint256(MAX_LOT_EXPONENT));
    }

    function _within(bytes32 field, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least) revert OracleConfig(field, value, least);
        if (value > most) revert OracleConfig(field, value, most);
    }

    /// @dev Decimals and phase of a feed, which must be there, answer, and say at most 18.
    function _describe(bytes32 field, address feed) private view returns (uint256 decimals_, uint256 phase) {
        if (feed.code.length == 0) revert OracleNoCode(field, feed);
        decimals_ = Rounds.decimalsOf(feed);
        if (decimals_ > 18) revert OracleConfig("decimals", decimals_, 18);
        Round memory r = Rounds.latest(feed);
        if (r.id == Rounds.UNREADABLE) revert OracleNoAnswer(feed, 0);
        phase = r.id >> PHASE_OFFSET;
    }

    /// @dev 10^e as multiplier and divisor, e = 18 - decimals + lotExponent, between -18 and 36.
    function _scale(uint256 decimals_, int256 lotExponent) private pure returns (uint256, uint256) {
        int256 e = 18 - int256(decimals_) + lotExponent;
        return e < 0 ? (uint256(1), 10 ** uint256(-e)) : (10 ** uint256(e), uint256(1));
    }
}
