//! An encode, from a source's frames to the bytes of a file.

mod choice;
mod choose;
mod content;
mod encode;
mod families;
mod forecast;
mod groups;
mod layout;
mod networks;
mod numbers;
mod observer;
mod options;
mod order0;
mod price;
mod report;
mod section;
mod share;
mod sizing;
mod stills;
#[cfg(test)]
mod tests;
mod warm;
mod work;

pub use choice::{Candidate, Choice};
pub use encode::encode;
pub use families::Family;
pub use numbers::Count;
pub use observer::Observer;
pub use options::{Options, Target};
pub use order0::Order0;
pub use report::{GroupReport, PSNR_TOLERANCE, Report, TARGET_TOLERANCE};
