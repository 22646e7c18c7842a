// Put the payout contract on a chain, with a test token when wanted, and tokens in it.
import { ContractFactory, ZeroAddress, parseUnits } from 'ethers';
import {
	Complaint, addressFrom, commandLine, needed, openChain, openDistributor, openToken, openWallet, printTokens, run, send,
	tokenAt,
} from './chain.mjs';
import { contracts } from './compile.mjs';

const usage = `Usage: node deploy.mjs --rpc URL --key FILE (--token ADDRESS | --test-token TOKENS) [OPTION…]
       node deploy.mjs --rpc URL --key FILE --contract ADDRESS --fund TOKENS

Deploys GranaryDistributor and prints its address: the satellite's --contract. Or funds one that is there.

  --rpc URL            JSON-RPC of a node of the chain
  --chain-id N         refuse any other chain
  --key FILE           who pays for it: 64 hex digits or a JSON keystore, readable by its owner only
  --password FILE      the keystore's password
  --token ADDRESS      the token to pay with, of 8 decimals
  --test-token TOKENS  deploy a token without value and own so many of it
  --owner ADDRESS      who may set roots; without it, the key's own address
  --fund TOKENS        move so many tokens from the key's address into the contract
  --contract ADDRESS   deploy nothing: fund this one
  --json               print the addresses as JSON`;

async function deploy(name, wallet, ...args) {
	const { abi, bytecode } = contracts()[name];
	const contract = await new ContractFactory(abi, bytecode, wallet).deploy(...args);
	const receipt = await contract.deploymentTransaction().wait(1, 120_000);

	if (receipt.status !== 1)
		throw new Complaint(`${name} was not deployed: transaction ${receipt.hash} failed`);
	return contract.getAddress();
}

async function makeToken(values, wallet) {
	if ((values.token === undefined) === (values['test-token'] === undefined))
		throw new Complaint('say either --token or --test-token');
	if (values['test-token'] !== undefined)
		return deploy('TestToken', wallet, parseUnits(values['test-token'], 8));
	const token = tokenAt(addressFrom(values.token, 'token'), wallet);
	const decimals = await token.decimals().catch(() => {
		throw new Complaint(`there is no token at ${values.token}`);
	});

	if (decimals !== 8n)
		throw new Complaint(`that token has ${decimals} decimals; Granary counts base units of 8`);
	return token.getAddress();
}

async function fund(contract, tokens, wallet, tell) {
	const distributor = await openDistributor({ contract }, wallet);
	const token = await openToken(distributor);
	const amount = parseUnits(tokens, await token.decimals());

	if (amount <= 0n)
		throw new Complaint('--fund: nothing would be moved');
	if (await token.balanceOf(wallet.address) < amount)
		throw new Complaint(`${wallet.address} has only ${await printTokens(token, await token.balanceOf(wallet.address))}`);
	await send(`funded with ${await printTokens(token, amount)}`, token.transfer(contract, amount),
		tell);
}

run(async () => {
	const values = commandLine(usage, ['rpc', 'chain-id', 'key', 'password', 'token', 'test-token', 'owner', 'fund',
		'contract'], ['json']);
	const wallet = openWallet(values, await openChain(values));
	let { contract } = values;

	if (contract === undefined) {
		const owner = values.owner === undefined ? wallet.address : addressFrom(values.owner, 'owner');
		const { chainId } = await wallet.provider.getNetwork();

		if (owner === ZeroAddress)
			throw new Complaint('--owner: nobody has the key of address zero');
		const token = await makeToken(values, wallet);

		contract = await deploy('GranaryDistributor', wallet, token, owner);
		console.log(values.json ? JSON.stringify({ chainId: Number(chainId), contract, token, owner })
			: `contract ${contract}\ntoken    ${token}\nowner    ${owner}\nchain id ${chainId}`);
	} else {
		needed(values, 'fund');
	}
	if (values.fund !== undefined)
		await fund(contract, values.fund, wallet, values.json ? console.error : console.log);
});
