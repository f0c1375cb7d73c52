//! The decoder as a program of its own.

fn main() -> std::process::ExitCode {
    nvc::cli::nvc_decode()
}
