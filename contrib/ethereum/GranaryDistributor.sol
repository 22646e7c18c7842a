// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title Pays a satellite's farmers.
/// @notice Each month the satellite exports a tree with one leaf per payee: all that it ever allotted that address, in
/// base units of the token. The owner sets the tree's root, one transaction for any number of payees; then each leaf
/// can be claimed, and the contract pays what the payee has not had yet. So a month may be skipped, a tree may be
/// replaced, and nothing is ever paid twice. Leaves are those of OpenZeppelin's StandardMerkleTree over
/// (address payee, uint256 cumulative).
contract GranaryDistributor is Ownable2Step {
	using SafeERC20 for IERC20;

	struct Root {
		bytes32 root;
		uint64 since; // the block's time
	}

	/// @notice What is paid out.
	IERC20 public immutable token;
	/// @notice All that each payee was paid so far.
	mapping(address payee => uint256 cumulative) public claimed;
	/// @notice All that was paid to anyone: with a tree's total it tells how much must be in here.
	uint256 public totalClaimed;

	Root[] private history;

	event RootSet(uint256 indexed index, bytes32 indexed root);
	event Claimed(address indexed payee, uint256 amount, uint256 cumulative);

	/// The tree changed since the proof was made, or will: claim again with the current one.
	error UnexpectedRoot(bytes32 expected, bytes32 current);
	/// The leaf is not in the tree.
	error InvalidProof();
	/// The payee has had all of it.
	error NothingToClaim(address payee, uint256 claimed);

	constructor(IERC20 token_, address owner_) Ownable(owner_) {
		token = token_;
	}

	/// @notice From now on claims are made against this root; zero stops them.
	function setRoot(bytes32 root_) external onlyOwner {
		emit RootSet(history.length, root_);
		history.push(Root(root_, uint64(block.timestamp)));
	}

	/// @notice The current root, zero before the first.
	function root() public view returns (bytes32) {
		uint256 count = history.length;

		return count == 0 ? bytes32(0) : history[count - 1].root;
	}

	/// @notice How many roots were set.
	function rootCount() external view returns (uint256) {
		return history.length;
	}

	/// @notice The index-th root, from 0, and when it was set.
	function rootAt(uint256 index) external view returns (bytes32, uint64) {
		return (history[index].root, history[index].since);
	}

	/// @notice Pay `payee` what it has not had yet of `cumulative`. Anyone may call this, only the payee is paid.
	/// @param expectedRoot the root of the tree that the proof is from
	function claim(address payee, uint256 cumulative, bytes32 expectedRoot, bytes32[] calldata proof) external {
		bytes32 current = root();
		uint256 before = claimed[payee];
		bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(payee, cumulative))));

		if (expectedRoot != current)
			revert UnexpectedRoot(expectedRoot, current);
		if (!MerkleProof.verifyCalldata(proof, current, leaf))
			revert InvalidProof();
		if (cumulative <= before)
			revert NothingToClaim(payee, before);
		// Written before the token is called: a token that calls back finds nothing left to claim.
		claimed[payee] = cumulative;
		totalClaimed += cumulative - before;
		emit Claimed(payee, cumulative - before, cumulative);
		token.safeTransfer(payee, cumulative - before);
	}
}
