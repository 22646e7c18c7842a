// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token without value, for test networks.
/// @notice Eight decimals, as Granary prints amounts; all of it belongs to whoever deployed it.
contract TestToken is ERC20 {
	constructor(uint256 supply) ERC20("Granary test token", "GRAIN") {
		_mint(msg.sender, supply);
	}

	function decimals() public pure override returns (uint8) {
		return 8;
	}
}
