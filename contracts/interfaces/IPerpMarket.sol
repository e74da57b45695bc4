// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MarketState, MarketView} from "../types/Market.sol";
import {MarketNow} from "../types/MarketNow.sol";
import {MarketWords} from "../types/MarketWords.sol";
import {RiskParams} from "../types/RiskParams.sol";

/// @notice A perpetual market: index, averages, funding, the two side indices and open interest. It knows no account.
/// @dev State moves only on calls of the clearing house; parameters only through AccessManager, inside coded bounds.
interface IPerpMarket {
    /// @notice What a market is born with and keeps.
    /// @param oracle IOracle whose price is the index.
    /// @param strictWindow Time constant of the strict average, seconds.
    /// @param premiumWindow Time constant of the premium average, seconds.
    /// @param shortWindow Time constant of the short average, seconds.
    /// @param interruption How long fills stay shut after the index and the short average agree again, seconds.
    /// @param fullPremium Premium at which skew counts as full for the funding velocity, WAD.
    /// @param settlementWindow Seconds between the fixing of the settlement price and the close.
    /// @param isolated Whether the market must be alone in its account.
    struct Listing {
        address oracle;
        uint32 strictWindow;
        uint32 premiumWindow;
        uint32 shortWindow;
        uint32 interruption;
        uint64 fullPremium;
        uint32 settlementWindow;
        bool isolated;
    }

    /// @notice The market's stored words after an accrual or a booking; layouts in docs/units.md.
    event MarketSet(uint256 prices, uint256 rates, uint256 indices, uint256 sides);
    /// @notice A side began a new epoch; positions of the old one convert when touched.
    /// @param k Final profit index of the old epoch, 1e27.
    /// @param ratio Final O / N of the old epoch, 1e36.
    event EpochRolled(uint256 indexed side, uint256 indexed epoch, int256 k, uint256 ratio);
    /// @notice Depth that margin and funding weigh against, WAD lots.
    event DepthSet(uint256 depth);
    /// @notice What backs the market, WAD lots at the index.
    event BackingSet(uint256 backing);
    event ParamsSet(RiskParams params);
    event CapsTightened(uint256 openInterestCap, uint256 accountCap);
    event StateSet(MarketState state);

    /// @notice Thrown when the caller is not the clearing house.
    error MarketOnlyClearing(address caller);
    /// @notice Thrown when a market is to be shut down whose feed has not been silent for long enough. Seconds.
    error MarketOracleAlive(uint256 silent, uint256 minimum);
    /// @notice Thrown when a market's state does not allow the step.
    error MarketWrongState(MarketState state);
    /// @notice Thrown when a guardian's change would loosen a limit.
    error MarketNotTighter(uint256 current, uint256 proposed);
    /// @notice Thrown when a listing value is outside its bounds.
    error MarketListing(bytes32 field, uint256 value, uint256 bound);
    /// @notice Thrown when a market would start without a valid price.
    error MarketNoPrice(uint256 status);

    /// @notice Brings index, averages, funding and side indices to this block and returns the result.
    function accrue() external returns (MarketNow memory);

    /// @notice As `accrue`, for a caller whose `book` follows in the same call: that emits the words, once.
    function accrueToBook() external returns (MarketNow memory);

    /// @notice Charges a side with a deficit, pro rata: K -= ceil(amount / N). @param amount WAD quote.
    /// @return charged False, and nothing changed, when the side is empty or its index would leave its field.
    /// @return k The side's index after it, 1e27 quote per unit lot.
    function charge(uint256 side, uint256 amount) external returns (bool charged, int256 k);

    /// @notice What `accrue` would return now. Does not write; not shut by the lock (it reads nothing that a call could half-write).
    function peek() external view returns (MarketView memory);

    /// @notice Stores open interest and units after legs; rolls a side that is empty or below the floor.
    /// @param openInterest WAD lots.
    /// @param unitsLong WAD. @param unitsShort WAD.
    /// @param premium Standing premium after the fill, WAD; KEEP_PREMIUM leaves it.
    function book(uint256 openInterest, uint256 unitsLong, uint256 unitsShort, int256 premium) external;

    /// @notice Stores the depth the venue offers, WAD lots.
    function setDepth(uint256 depth) external;

    /// @notice Stores what backs the market. @param lots Its worth in lots at the index, WAD, rounded down.
    /// @return cap The backed cap: backingMultiple * lots, WAD lots; the static cap may be lower.
    function setBacking(uint256 lots) external returns (uint256 cap);

    /// @notice What the market was told of its backing.
    /// @return lots As `setBacking` was last told, WAD.
    /// @return cap The backed cap that follows from it, WAD lots.
    /// @return told False in a market that was never told: its static cap is its only one.
    function backing() external view returns (uint256 lots, uint256 cap, bool told);

    /// @notice Final index (1e27) and ratio (1e36) of an ended epoch.
    function epochEnd(uint256 side, uint256 epoch) external view returns (int256 k, uint256 ratio);

    /// @notice Reverts with the oracle's named error; used where a fill needs a price and there is none.
    function requirePrice() external view;

    /// @notice The market's oracle.
    function oracle() external view returns (address);

    /// @notice Current parameters; `mmr` is the end of the ramp, `openInterestCap` the static cap. The cap in force, the lower
    /// of it and the backed cap, is `peek().openInterestCap`.
    function params() external view returns (RiskParams memory);

    /// @notice The stored state, not brought to now.
    function words() external view returns (MarketWords memory);

    /// @notice Where the market is in its life.
    function state() external view returns (MarketState);

    /// @notice Sets all parameters, inside the bounds of RiskBounds. A rise of `mmr` ramps. Role RISK, after its delay.
    function setParams(RiskParams calldata p) external;

    /// @notice Lowers static caps at once; a cap below what is open stops growth only. Guardian.
    /// @param openInterestCap WAD lots. @param accountCap Whole quote.
    function tightenCaps(uint80 openInterestCap, uint48 accountCap) external;

    /// @notice Positions may only shrink from now on. Guardian.
    function reduceOnly() external;

    /// @notice Back from reduce-only. Role RISK, after its delay.
    function activate() external;

    /// @notice Fixes the settlement price at the index (the last good one when the feed is dead); nothing fills any more.
    /// After the settlement window every position has size 0 when touched. Role RISK, after its delay.
    function beginSettlement() external;

    /// @notice Settles a market whose primary feed has been silent for SHUTDOWN_SILENCE beyond its heartbeat, at the last
    /// good index. Anyone may. A second source or a sequencer never counts (IOracle.silentFor).
    function shutdown() external;
}
