//! The sequences that a plan names.

use std::path::Path;

use super::anchor;
use super::plan::{Plan, SequencePlan};
use super::sequence::Sequence;
use crate::datasets::Store;
use ::nvc::error::{Error, Result};

/// The sequences of a plan, data sets taken apart into theirs.
pub fn sequences(plan: &Plan, base: &Path, store: &Store) -> Result<Vec<Sequence>> {
    let mut list = Vec::<Sequence>::new();
    for s in &plan.sequence {
        let sources = match s.source.strip_prefix("dataset:") {
            Some(name) => store
                .expand(name)?
                .into_iter()
                .map(|e| format!("dataset:{}", e.id()))
                .collect(),
            None => vec![s.source.clone()],
        };
        if sources.len() > 1 && s.name.is_some() {
            return Err(Error::Parameter(format!(
                "{} is {} sequences; one name cannot be all of theirs",
                s.source,
                sources.len()
            )));
        }
        for source in sources {
            list.push(Sequence::open(
                &SequencePlan {
                    source,
                    ..s.clone()
                },
                base,
                store,
            )?);
        }
    }
    for (i, s) in list.iter().enumerate() {
        if list[..i].iter().any(|t| t.file_name() == s.file_name()) {
            return Err(Error::Parameter(format!(
                "two sequences are named '{}'; give one another name = ",
                s.name
            )));
        }
    }
    for c in &plan.codec {
        if let Some(name) = c
            .sequences
            .iter()
            .find(|n| !list.iter().any(|s| s.name == **n))
        {
            return Err(Error::Parameter(format!(
                "codec '{}' names the sequence '{name}', which the plan does not have",
                c.codec
            )));
        }
    }
    for c in &plan.codec {
        list.iter()
            .filter(|s| c.runs_on(&s.name))
            .try_for_each(|s| anchor::check(c, s))?;
    }
    Ok(list)
}
