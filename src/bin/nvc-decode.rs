//! The decoder as a program of its own.

#[ctor::ctor(unsafe)]
fn look_at_stdout() {
    nvc::io::look_at_stdout();
}

fn main() -> std::process::ExitCode {
    nvc::cli::nvc_decode()
}
