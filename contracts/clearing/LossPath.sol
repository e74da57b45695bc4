// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILossPath} from "../interfaces/ILossPath.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {AmountOverflow, House, Words} from "../types/Ledger.sol";
import {IndexView, MarketView} from "../types/Market.sol";
import {Clearing} from "./Clearing.sol";
import {Ledger} from "./Ledger.sol";

/// @title LossPath: what takeover, conversion and resolution share.
/// @dev The clearing house runs this code in its own storage (see Delegating), so it stores nothing that Clearing does not;
/// its own storage is never used.
abstract contract LossPath is Clearing, ILossPath {
    uint256 internal constant VENUE_GAS = 500_000;

    /// @notice The insurance fund's account: penalties go there, deficits and top-ups come from it. It holds no positions.
    AccountId public immutable insurance;
    address public immutable liquidator;

    modifier onlyLiquidator() {
        if (msg.sender != liquidator) revert BackstopNotLiquidator(msg.sender);
        _;
    }

    constructor(address vault_, address liquidator_, AccountId insurance_) Ledger(vault_) {
        (liquidator, insurance) = (liquidator_, insurance_);
    }

    /// @dev When `id` is the account of the market's venue, tells that what it holds now: what moves it but a fill must
    /// keep its mid. A venue that fails is not waited for.
    function _tell(AccountId id, uint256 market, MarketView memory m, int256 before, int256 after_) internal {
        address venue = venueFor[market];
        if (id.key() != AccountIds.from(venue, 0).key() || venue.code.length == 0) return;
        _requireVenueGas();
        bytes memory news = abi.encodeCall(IVenue.inventoryMoved, (_indexView(m), before, after_));
        (bool done, bytes memory depth) = venue.call{gas: VENUE_GAS}(news);
        if (!done || depth.length != 32 || venues[venue].marketPlusOne != market + 1) return;
        _market(market).setDepth(abi.decode(depth, (uint256)));
    }

    /// @dev A call is given 63 of 64 parts of what is left at most, silently: who sends little gas must not choose a
    /// venue's answer.
    function _requireVenueGas() internal view {
        uint256 needed = VENUE_GAS + VENUE_GAS / 32;
        if (gasleft() < needed) revert BackstopGas(gasleft(), needed);
    }

    function _indexView(MarketView memory m) internal pure returns (IndexView memory) {
        return IndexView(m.index, m.strict, m.updatedAt, m.variance, m.live);
    }

    function _isVenues(Touched memory t) internal pure returns (bool) {
        return t.a.bitmap & Words.VENUE_BIT != 0;
    }

    /// @dev Stores another capital in an account that is not touched.
    function _setCapital(AccountId id, uint256 word, uint256 capital, House memory h) internal {
        uint256 held = Words.capitalOf(word);
        if (capital == held) return;
        if (capital > type(uint96).max) revert AmountOverflow(capital, type(uint96).max);
        h.capitalTotal = h.capitalTotal + capital - held;
        accounts[id] = word = word - held + capital;
        emit AccountSet(id, word);
    }
}
