//! A Job that has ended goes away.
//!
//! ## What it does
//! Reports Jobs without `ttlSecondsAfterFinished`. Those of CronJobs have their history limits; Jobs with an owner and
//! those that Helm or Argo CD remove by their annotations are left out.
//!
//! ## Why it matters
//! Jobs and their pods stay for ever, fill etcd and quotas, and a second apply of the same Job does nothing.
//!
//! ## How to mend it
//! Set `ttlSecondsAfterFinished` to how long somebody may want to read its log.
//!
//! ## Example
//! ```yaml
//! kind: Job
//! spec: {template: {}} # reported: no ttlSecondsAfterFinished
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "AVL024", name: "job-ttl", parameters: &[], source: include_str!("job_ttl.rs"), check };

/// Annotations by which deploy tools remove a Job.
const REMOVED_BY: [&str; 4] =
    ["helm.sh/hook-delete-policy", "helm.sh/hook", "argocd.argoproj.io/hook-delete-policy", "argocd.argoproj.io/hook"];

fn check(context: &mut Context<'_, '_>) {
    for job in context.index.of_kind("Job").to_vec() {
        let root = Field::root(&job.root);
        let notes = root.at("metadata.annotations");
        let removed = notes.is_some_and(|notes| REMOVED_BY.iter().any(|key| notes.get(key).is_some()));
        let Some(spec) = root.get("spec").filter(|_| !removed && root.items_at("metadata.ownerReferences").is_empty()) else { continue };
        if spec.get("ttlSecondsAfterFinished").is_none() {
            context.missing(job, &spec, "ttlSecondsAfterFinished", "it stays for ever after its end");
        }
    }
}
