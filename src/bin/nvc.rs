//! Encoder and decoder in one program.

fn main() -> std::process::ExitCode {
    nvc::cli::nvc()
}
