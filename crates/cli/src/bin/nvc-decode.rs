//! The decoder as a program of its own.

#[ctor::ctor(unsafe)]
fn look_at_stdout() {
    nvc_media::look_at_stdout();
}

fn main() -> std::process::ExitCode {
    nvc_cli::nvc_decode()
}
