//! Parts of forms. They are functions and no components: each is in the program once, whoever uses it.

use leptos::prelude::*;

use crate::api::Role;
use crate::ui::infra::api::ApiError;
use crate::ui::model::access::{ROLES, role_of, role_word};

use super::parts::Problem;

/// A labelled text field. `kind` is the type of the input, `autocomplete` what a password manager is to know of it.
pub fn field(
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    required: bool,
    value: RwSignal<String>,
) -> AnyView {
    view! {
        <label class="stack">{label}
            <input type=kind autocomplete=autocomplete required=required spellcheck="false" autocapitalize="none" bind:value=value />
        </label>
    }
    .into_any()
}

/// A choice among texts with their words.
pub fn choice(label: &'static str, options: Vec<(String, String)>, value: RwSignal<String>) -> AnyView {
    let option = move |(name, words): (String, String)| {
        let mine = name.clone();
        view! { <option value=name selected=move || value.with(|v| *v == mine)>{words}</option> }
    };
    view! {
        <label class="stack">{label}
            <select on:change:target=move |e| value.set(e.target().value())>{options.into_iter().map(option).collect_view()}</select>
        </label>
    }
    .into_any()
}

/// A choice among the roles up to one.
pub fn role_choice(most: Role, value: RwSignal<String>) -> AnyView {
    let roles = ROLES.into_iter().filter(|role| *role <= most).map(role_word);
    choice("Role", roles.map(|word| (word.to_owned(), word.to_owned())).collect(), value)
}

/// The role that is chosen.
pub fn chosen_role(value: RwSignal<String>) -> Role {
    role_of(&value.get_untracked())
}

/// What went wrong, where something did.
pub fn failure(error: RwSignal<Option<ApiError>>) -> impl Fn() -> Option<AnyView> + Send + 'static {
    move || error.get().map(|error| view! { <Problem error=error /> }.into_any())
}

/// A table that scrolls by itself, with these headings.
pub fn table(name: &'static str, heads: &'static [&'static str], rows: Vec<Vec<AnyView>>) -> AnyView {
    // On a phone a row is a card, and each value says what it is.
    let row = |cells: Vec<AnyView>| {
        let cells = heads.iter().zip(cells).map(|(head, cell)| view! { <td data-label=*head><div>{cell}</div></td> });
        view! { <tr>{cells.collect_view()}</tr> }
    };
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label=name>
            <table class="stacked">
                <thead><tr>{heads.iter().map(|head| view! { <th>{*head}</th> }).collect_view()}</tr></thead>
                <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A button that does something when it is pressed.
pub fn button(class: &'static str, words: &'static str, press: impl Fn() + Send + 'static) -> AnyView {
    let press: Box<dyn Fn() + Send> = Box::new(press);
    view! { <button type="button" class=class on:click=move |_| press()>{words}</button> }.into_any()
}
