//! `warren default-password` and `warren reset-password`: the way in when nobody can sign in. They
//! need the database, not the daemon, and print the secret on standard output alone.

use super::{Failure, chain, complain, database_code, exit, say, status};
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::config::Config;
use crate::domain::{admin, password};
use crate::store::admins::AdminDoc;
use crate::store::{Store, StoreError};

const NOBODY: &str = "there is no administrator yet: `warren run` makes the first one";

/// Prints the first password while it is still in use.
pub fn default_password(config: &Config) -> Result<(), Failure> {
    let store = status::open(config, Clock::system(), Random::system())?;
    let first = store.admin_first_super().map_err(failure)?;
    let first = first.ok_or_else(|| Failure::new(exit::FOUND, NOBODY))?;
    match first.default_password.as_ref().filter(|_| first.must_change_password()) {
        Some(generated) => print(&first, generated),
        None => {
            let name = &first.username;
            let text = format!(
                "the first password of {name} has been changed; if it is lost, \
                 `warren reset-password` makes a new one"
            );
            Err(Failure::new(exit::FOUND, text))
        }
    }
}

/// Gives a super user (the first, unless named) a new password as the first one was.
pub fn reset_password(config: &Config, name: Option<&str>) -> Result<(), Failure> {
    let random = Random::system();
    let store = status::open(config, Clock::system(), random.clone())?;
    let chosen = choose(&store, name)?;
    let generated = admin::generated_password(&random);
    let hash = password::hash(&generated, &random);
    match store.admin_reset(chosen.id, &generated, &hash).map_err(failure)? {
        true => {
            // Apart from the password, for whoever keeps what was said.
            let name = &chosen.username;
            complain(&format!("the password of {name} has been reset; its sessions are over"));
            print(&chosen, generated.expose())
        }
        false => Err(Failure::new(exit::FOUND, format!("{} is gone", chosen.username))),
    }
}

fn choose(store: &Store, name: Option<&str>) -> Result<AdminDoc, Failure> {
    let Some(name) = name else {
        let first = store.admin_first_super().map_err(failure)?;
        return first.ok_or_else(|| Failure::new(exit::FOUND, NOBODY));
    };
    let found = store.admin_by_username(&admin::username(name)).map_err(failure)?;
    found.filter(AdminDoc::is_super).ok_or_else(|| {
        Failure::new(exit::FOUND, format!("there is no super user of the name {name:?}"))
    })
}

fn failure(error: StoreError) -> Failure {
    Failure::new(database_code(&error), chain(&error))
}

/// The password last, for scripts.
fn print(admin: &AdminDoc, password: &str) -> Result<(), Failure> {
    say(&format!("user name  {}\npassword   {password}", admin.username))
}
