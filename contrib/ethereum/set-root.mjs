// Make a month's tree claimable: set the contract's root to that of the satellite's export.
import {
	Complaint, callData, commandLine, loadTree, needed, openChain, openDistributor, openToken, openWallet, printTokens, run,
	send,
} from './chain.mjs';

const usage = `Usage: node set-root.mjs --tree FILE --rpc URL --contract ADDRESS --key FILE [OPTION…]
       node set-root.mjs --tree FILE --call-data

Sets the contract's root to that of FILE, the output of \`granary-satellite payout export\`, after computing every
hash in it again. Refused when the contract does not hold enough for all claims, and when the tree would take back
what a tree before it gave (its total is less than what was paid already).

  --tree FILE         the exported tree
  --rpc URL           JSON-RPC of a node of the chain
  --chain-id N        refuse any other chain
  --contract ADDRESS  the payout contract
  --key FILE          the owner's key: 64 hex digits or a JSON keystore, readable by its owner only
  --password FILE     the keystore's password
  --unfunded          set the root even when the contract holds too little
  --call-data         send nothing: print the call for a hardware wallet or a multi-signature account`;

run(async () => {
	const values = commandLine(usage, ['tree', 'rpc', 'chain-id', 'contract', 'key', 'password'],
		['unfunded', 'call-data']);

	needed(values, 'tree');
	const tree = loadTree(values.tree);
	const total = [...tree.entries()].reduce((sum, [, [, cumulative]]) => sum + BigInt(cumulative), 0n);

	if (values['call-data']) {
		console.log(callData('setRoot', [tree.root]));
		return;
	}
	const distributor = await openDistributor(values, openWallet(values, await openChain(values)));
	const token = await openToken(distributor);
	const owed = total - await distributor.totalClaimed();
	const held = await token.balanceOf(distributor.target);

	if (await distributor.root() === tree.root)
		throw new Complaint(`the root is ${tree.root} already`);
	if (await distributor.owner() !== distributor.runner.address)
		throw new Complaint(`only the owner, ${await distributor.owner()}, may set the root`);
	if (owed < 0n)
		throw new Complaint(`this tree is older than what was paid: its total is ${await printTokens(token, -owed)} less`);
	if (held < owed && !values.unfunded)
		throw new Complaint(`the contract holds ${await printTokens(token, held)}, the tree needs ` +
			`${await printTokens(token, owed)}: fund it first, or say --unfunded`);
	await send(`root ${tree.root}, ${tree.length} payees, ${await printTokens(token, owed)} to be claimed`,
		distributor.setRoot(tree.root));
});
