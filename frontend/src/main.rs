//! The WASM entry point: a panic hook and the mounting of the page.
#![forbid(unsafe_code)]

fn main() {
    console_error_panic_hook::set_once();
    app::ui::mount();
}
