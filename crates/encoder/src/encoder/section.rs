//! One section: at a size, or at the quality that its groups shall have together.

use super::groups::groups;
use super::observer::Shared;
use super::options::Options;
use super::sizing;
use super::stills;
use super::warm;
use super::work::{Coded, Work};
use nvc::error::Result;
use nvc::frame::VideoInfo;

/// Fits all groups of a section, codes them, decodes them again.
pub(super) fn code(
    work: Work,
    info: &VideoInfo,
    options: &Options,
    shared: &Shared<'_, '_>,
) -> Result<Coded> {
    let mut coded = match sizing::goal(options.target(info)?) {
        _ if options.arch.is_still() => stills::code(&work, info, options, shared)?,
        Some(goal) if options.arch.starts_warm() => {
            warm::by_quality(&work, goal, info, options, shared)?
        }
        _ => groups(&work, work.coded, info, options, shared)?,
    };
    coded.frames = work.parts.into_iter().flatten().collect();
    Ok(coded)
}
