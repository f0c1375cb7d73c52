//! What the machine has, against what is asked of it.

/// Sections that are fitted at once at most.
#[cfg(feature = "encode")]
pub const MOST_JOBS: usize = 256;

/// Threads that run at once.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The threads to use where `asked` are asked for (0 = one a processor), and what to say if they
/// are fewer.
pub fn clamp_threads(asked: usize) -> (usize, Option<String>) {
    let has = processors();
    if asked <= has {
        return (asked, None);
    }
    (
        has,
        Some(format!(
            "warning: --threads {asked}: this machine has {has}; {has} are used"
        )),
    )
}

/// The sections to fit at once where `asked` are asked for (0 = chosen), and what to say if they
/// are fewer.
#[cfg(feature = "encode")]
pub fn clamp_jobs(asked: usize) -> (usize, Option<String>) {
    if asked <= MOST_JOBS {
        return (asked, None);
    }
    (
        MOST_JOBS,
        Some(format!(
            "warning: --jobs {asked}: at most {MOST_JOBS} sections are fitted at once; {MOST_JOBS} are used"
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_clamped_and_said() {
        assert_eq!((clamp_threads(0), clamp_threads(1)), ((0, None), (1, None)));
        let (threads, text) = clamp_threads(usize::MAX);
        assert!(threads >= 1 && text.is_some_and(|t| t.contains(&format!("; {threads} are used"))));
        #[cfg(feature = "encode")]
        {
            assert_eq!(clamp_jobs(256), (256, None));
            let (jobs, text) = clamp_jobs(9999);
            assert!(jobs == 256 && text.is_some_and(|t| t.starts_with("warning: --jobs 9999: ")));
        }
    }
}
