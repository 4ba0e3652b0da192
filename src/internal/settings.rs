//! Settings, and the administrator who asks (contract 2.8).

use crate::api::SettingsBody;
use crate::api::reply::settings::SettingsReply;
use crate::bus::Message;
use crate::domain::Refusal;
use crate::domain::event::Event;
use crate::internal::admins::{self, Change};
use crate::internal::answer::{Handled, NOT_FOUND, UNAUTHORIZED, json};
use crate::internal::app::Asked;
use crate::store::admins::AdminDoc;
use crate::store::settings::{AppSettings, UserSettings};

const THEMES: [&str; 2] = ["light", "dark"];
const PIN_MODES: [&str; 3] = ["optional", "required", "disabled"];

pub fn get_settings(asked: &Asked<'_>) -> Handled {
    let caller = asked.caller.as_ref().ok_or(UNAUTHORIZED)?;
    // What was changed elsewhere a moment ago is shown.
    let admin = asked.app.ground.store.admin(caller.admin.id)?.ok_or(NOT_FOUND)?;
    answer(asked, &admin)
}

/// What is left empty stays as it is.
pub fn put_settings(asked: &Asked<'_>, body: SettingsBody) -> Handled {
    let store = &asked.app.ground.store;
    let theme = chosen(&body.theme, &THEMES, Refusal::ThemeInvalid)?;
    let pin_mode = chosen(&body.pin_mode, &PIN_MODES, Refusal::PinModeInvalid)?;
    let caller = asked.caller.as_ref().ok_or(UNAUTHORIZED)?;
    let admin = admins::change(asked, caller.admin.id, &Change::of_self(&body))?;
    if let Some(theme) = theme {
        store.set_theme(theme)?;
    }
    if let Some(mode) = pin_mode {
        store.set_pin_mode(mode)?;
    }
    let bus = &asked.app.ground.bus;
    bus.publish(Message::Settings);
    bus.emit(Event::Settings);
    match theme {
        Some("light") => bus.emit(Event::ThemeLight),
        Some(_) => bus.emit(Event::ThemeDark),
        None => {}
    }
    answer(asked, &admin)
}

fn answer(asked: &Asked<'_>, admin: &AdminDoc) -> Handled {
    let store = &asked.app.ground.store;
    json(&SettingsReply {
        admin: admins::reply(admin),
        theme: theme(&store.app_settings()?),
        pin_mode: pin_mode(&store.user_settings()?),
    })
}

/// One of the allowed values, nothing for the empty text.
fn chosen<'a>(
    given: &'a str,
    allowed: &[&str],
    refusal: Refusal,
) -> Result<Option<&'a str>, Refusal> {
    match given {
        "" => Ok(None),
        given if allowed.contains(&given) => Ok(Some(given)),
        _ => Err(refusal),
    }
}

/// Always one that PUT accepts, whatever is stored.
pub fn theme(settings: &AppSettings) -> &str {
    settings.theme.as_deref().filter(|theme| THEMES.contains(theme)).unwrap_or("dark")
}

fn pin_mode(settings: &UserSettings) -> &str {
    settings.pin_mode.as_deref().filter(|mode| PIN_MODES.contains(mode)).unwrap_or("optional")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_values_are_set_and_shown() {
        for (given, verdict) in [
            ("", Ok(None)),
            ("light", Ok(Some("light"))),
            ("Light", Err(Refusal::ThemeInvalid)),
            ("blue", Err(Refusal::ThemeInvalid)),
        ] {
            assert_eq!(chosen(given, &THEMES, Refusal::ThemeInvalid), verdict, "{given}");
        }
        let stored = |theme: &str| AppSettings { theme: Some(theme.into()), ..Default::default() };
        assert_eq!(theme(&stored("light")), "light");
        assert_eq!(theme(&stored("blue")), "dark");
        assert_eq!(pin_mode(&UserSettings { pin_mode: None }), "optional");
    }
}
