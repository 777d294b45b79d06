//! The `spo` command.

fn main() -> std::process::ExitCode {
    spo_cli::commands::main()
}
