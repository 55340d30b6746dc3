//! Giving up root once the ports are bound.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use nix::unistd::{Group, User, chown, geteuid, setgid, setgroups, setuid};

/// Whom to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    user: User,
    group: Group,
}

impl Account {
    /// Of `USER` or `USER:GROUP`; without a group that of the user.
    ///
    /// # Errors
    /// Names what there is not.
    pub(super) fn find(text: &str) -> anyhow::Result<Account> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let found = User::from_name(user).with_context(|| format!("user: looking up {user:?}"))?;
        let Some(user) = found else {
            bail!("user: there is no user {user:?} on this machine");
        };
        let found = match group {
            Some(name) => Group::from_name(name),
            None => Group::from_gid(user.gid),
        };
        let named = || group.map_or_else(|| user.gid.to_string(), str::to_owned);
        let found = found.with_context(|| format!("user: looking up the group {}", named()))?;
        let Some(group) = found else {
            bail!("user: there is no group {} on this machine", named());
        };
        Ok(Account { user, group })
    }

    /// Hands the folder and what lies in it to the account, then becomes it, in every thread. Nothing to do where the process is
    /// the account already.
    ///
    /// # Errors
    /// The process may not, or still is what it was.
    pub(super) fn become_it(&self, state: &Path) -> anyhow::Result<()> {
        let Account { user, group } = self;
        let now = geteuid();
        if now == user.uid {
            return Ok(());
        }
        ensure!(
            now.is_root(),
            "user: {}: the process runs as user {now} and only root can become another",
            user.name
        );
        for path in std::fs::read_dir(state)
            .with_context(|| format!("state folder {}", state.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .chain([state.to_owned()])
        {
            chown(&path, Some(user.uid), Some(group.gid))
                .with_context(|| format!("giving {} to {}", path.display(), user.name))?;
        }
        setgroups(&[group.gid]).context("user: setting its groups")?;
        setgid(group.gid).context("user: setting its group")?;
        setuid(user.uid).context("user: becoming it")?;
        ensure!(
            setuid(nix::unistd::Uid::from_raw(0)).is_err(),
            "user: the process could become root again"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_or_missed() {
        let root = Account::find("root").unwrap();
        assert_eq!((root.user.uid.as_raw(), root.group.gid.as_raw()), (0, 0));
        assert!(Account::find("root:root").is_ok());
        for (text, part) in [("no such", "user \"no such\""), ("root:no such", "group no such")] {
            let told = Account::find(text).unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
    }
}
