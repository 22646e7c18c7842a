# shellcheck shell=bash
# Which Debian packages the programs, the demo and the tests need, said once; and how they get installed.
# To be sourced by contrib/demo and contrib/check.

# shellcheck disable=SC2034 # used by those who source this
packages_build=(
	autoconf automake gcc libc6-dev make pkg-config
	libevent-dev libsecp256k1-dev libsodium-dev libsqlite3-dev libjansson-dev libisal-dev nettle-dev
	libinih-dev libjs-dygraphs uthash-dev libminiupnpc-dev libnatpmp-dev
)
# shellcheck disable=SC2034
packages_demo=(jq)
# shellcheck disable=SC2034
packages_test=(
	chromium chromium-driver clang jq libclang-rt-14-dev libcmocka-dev llvm nodejs npm perl python3
	python3-cryptography python3-pytest python3-selenium shellcheck xz-utils
)

# Print those of the named packages that are not installed. Node.js from elsewhere brings npm along, and will do.
packages_missing() {
	local package
	for package in "$@"; do
		[[ $package != npm && $package != nodejs ]] || ! command -v npm >/dev/null || continue
		dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			echo "$package"
	done
}

# Fail, naming all of them, when packages are missing.
packages_require() {
	local missing
	missing=$(packages_missing "$@" | tr '\n' ' ')
	[[ -z $missing ]] && return
	echo "missing packages; install them with: apt-get install $missing" >&2
	return 1
}

# Install what is missing, as root or through sudo, saying first what it will be.
packages_install() {
	local missing sudo=()
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]} > 0)) || return 0
	if ((EUID != 0)); then
		if ! command -v sudo >/dev/null; then
			packages_require "$@"
			return 1
		fi
		sudo=(sudo)
	fi
	echo "installing from Debian: ${missing[*]}"
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		"${missing[@]}" >/dev/null
}
