//! The ladder: every check of every gate is a trial.

fn main() -> std::process::ExitCode {
    k1s_profile_gates::main()
}
