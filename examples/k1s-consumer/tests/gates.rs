fn main() -> std::process::ExitCode { k1s_profile_gates::main() }
