// A chain on loopback for the scripts here: ganache in this process, the contract and scripts of contrib/ethereum, and
// programs run beside it. Everything is below one temporary directory.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Contract, JsonRpcProvider, Wallet, parseEther } from 'ethers';
import ganache from 'ganache';
import { equal, match } from './tap.mjs';
import { contracts } from './ethereum/compile.mjs';

export const chainId = 31337;

// Run a program to its end: { status, out, err }.
export function run(program, ...args) {
	return new Promise((resolve) => {
		const child = execFile(program, args, { timeout: 300_000 }, (error, out, err) =>
			resolve({ status: error ? error.code ?? 'killed' : 0, out, err }));

		child.stdin.end();
	});
}

export function works({ status, out, err }) {
	equal(status, 0, err);
	return out;
}

// Exit status 1, and one line that says why.
export function fails({ status, err }, pattern) {
	equal(status, 1, err);
	match(err, pattern);
	equal(err.trim().split('\n').length, 1);
}

export class Chain {
	// A fresh one, whose owner has coins.
	static async start() {
		const chain = new Chain();
		const account = { secretKey: chain.owner.privateKey, balance: `0x${parseEther('100').toString(16)}` };

		chain.server = ganache.server({
			chain: { hardfork: 'shanghai', chainId, networkId: chainId },
			logging: { quiet: true },
			wallet: { accounts: [account] },
		});
		await chain.server.listen(0, '127.0.0.1');
		chain.url = `http://127.0.0.1:${chain.server.address().port}`;
		chain.provider = new JsonRpcProvider(chain.url, chainId,
			{ staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 });
		chain.purse = chain.owner.connect(chain.provider);
		return chain;
	}

	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), 'granary-chain-'));
		this.owner = Wallet.createRandom();
		this.ownerKey = this.save('owner', `${this.owner.privateKey.slice(2)}\n`, 0o600);
	}

	// A file below the directory: text, or JSON.
	save(name, content, mode = 0o644) {
		const path = join(this.dir, name);

		writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode });
		return path;
	}

	// One of contrib/ethereum's scripts, with the owner's key.
	script(name, ...args) {
		return run(process.execPath, fileURLToPath(new URL(`ethereum/${name}`, import.meta.url)), '--rpc', this.url,
			'--key', this.ownerKey, ...args);
	}

	// Deploy token and distributor; sets .contract, .token, .distributor.
	async deploy(tokens) {
		const deployed = JSON.parse(works(await this.script('deploy.mjs', '--test-token', String(tokens), '--json')));
		const made = contracts();

		this.contract = deployed.contract;
		this.token = new Contract(deployed.token, made.TestToken.abi, this.provider);
		this.distributor = new Contract(deployed.contract, made.GranaryDistributor.abi, this.provider);
		return deployed;
	}

	async giveCoin(address) {
		await (await this.purse.sendTransaction({ to: address, value: parseEther('1') })).wait();
	}

	claim(dir, ...args) {
		return run('granary-node', 'claim', '--dir', dir, '--rpc', this.url, '--wait', '30s', ...args);
	}

	// Leave nobody at its address.
	async hangUp() {
		const { server } = this;

		this.server = null;
		await server?.close();
	}

	async stop() {
		this.provider.destroy();
		await this.hangUp();
		rmSync(this.dir, { recursive: true });
	}
}
