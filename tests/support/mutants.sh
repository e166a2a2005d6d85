#!/usr/bin/env bash
# Mutation tests of the matching core of funnels: what share of small mistakes in it, made one at a time, its own tests catch.
#
#     cargo install cargo-mutants --locked
#     bash tests/support/mutants.sh [OPTION OF CARGO MUTANTS]…        for one file: --file '**/grace.rs'
#
# In the crate each mutant would take most of a minute to build, and there are more than a thousand. So the core, its tests and their
# oracle are copied into a crate of their own, where it takes some seconds; random tests run fewer cases there, which makes the figure
# a little worse than it is. JOBS (2), CASES (2000) and OUTPUT (where the folder mutants.out is left; target) can be set. Fails below 90 %.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
output=${OUTPUT:-$root/target}
shim=$(mktemp -d)
trap 'rm -rf "$shim"' EXIT

mkdir -p "$shim/src/analyses/step" "$shim/src/testing" "$shim/tests" "$output"
cp "$root/src/analyses/step/hit.rs" "$shim/src/analyses/step/"
cp -r "$root/src/analyses/steps.rs" "$root/src/analyses/steps" "$shim/src/analyses/"
cp "$root/src/testing/fixtures.rs" "$shim/src/testing/"
cp -r "$root/tests/support" "$shim/tests/"
find "$shim/src" -name '*.rs' -exec sed -i -E "s/with_cases\([0-9_]+\)/with_cases(${CASES:-2000})/" {} +

cat > "$shim/Cargo.toml" <<'EOF'
[package]
name = "matching-core"
version = "0.0.0"
edition = "2024"

[dependencies]
clap = { version = "4", default-features = false, features = ["derive", "std"] }
serde = { version = "1", features = ["derive"] }

[dev-dependencies]
proptest = { version = "1", default-features = false, features = ["std"] }

[profile.dev]
debug = false
opt-level = 1
incremental = true
EOF
cat > "$shim/src/lib.rs" <<'EOF'
pub mod ids {
    pub type Code = u32;
}
pub mod analyses {
    pub mod step {
        mod hit;
        pub use hit::Hit;
    }
    pub mod steps;
}
#[cfg(test)]
pub mod testing;
EOF
cat > "$shim/src/testing.rs" <<'EOF'
#[path = "../tests/support/oracle.rs"]
pub mod oracle;

mod fixtures;

pub use fixtures::{event, visitor};
pub use oracle::Event;
EOF

# A mutant that is caught need not be shrunk, and one that never ends is caught as well.
export PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
unset CARGO_TARGET_DIR
status=0
cargo mutants --dir "$shim" --output "$output" --jobs "${JOBS:-2}" --timeout 30 "$@" -- --lib || status=$?
# 2: some were missed; 3: some took too long. All else is no measurement.
[[ $status == 0 || $status == 2 || $status == 3 ]] || exit "$status"

count() { wc -l < "$output/mutants.out/$1.txt"; }
caught=$(($(count caught) + $(count timeout))) missed=$(count missed)
echo "$caught of $((caught + missed)) mutants that build are caught ($(count timeout) by taking too long)."
((caught * 10 >= (caught + missed) * 9))
