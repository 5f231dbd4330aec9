//! All that a consumer's test target has to be.

fn main() -> std::process::ExitCode {
    k1s_profile_gates::main()
}
