//! Encoder and decoder in one program.

/// A fitting step allocates and frees the same large buffers; the system's allocator gives them
/// back to the kernel each time.
#[cfg(feature = "encode")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[ctor::ctor(unsafe)]
fn look_at_stdout() {
    nvc_media::look_at_stdout();
}

fn main() -> std::process::ExitCode {
    nvc_cli::nvc()
}
