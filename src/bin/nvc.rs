//! Encoder and decoder in one program.

/// A fitting step allocates and frees the same large buffers; the system's allocator gives them back to the kernel each time.
#[cfg(feature = "encode")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    nvc::cli::nvc()
}
