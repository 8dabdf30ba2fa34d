//! The whole picture in the corner, with the part that is on the screen; only where they differ.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::drawing::Drawing;
use super::picture::BOX;
use crate::ui::model::camera::{Camera, Point};
use crate::ui::model::decimal::px;
use crate::ui::state::Ui;

/// Largest size, CSS pixels.
const SIZE: Point = Point { x: 168.0, y: 112.0 };

/// The map.
#[component]
pub fn Minimap(ui: Ui, drawing: Drawing) -> impl IntoView {
    let scale = Memo::new(move |_| {
        let size = drawing.plot.with(|p| p.picture.size);
        (SIZE.x / size.x.max(1.0)).min(SIZE.y / size.y.max(1.0))
    });
    let needed = Memo::new(move |_| {
        let (size, screen, camera) =
            (drawing.plot.with(|p| p.picture.size), drawing.screen.get(), drawing.camera.get());
        let (low, high) = (camera.to_picture(Point::default()), camera.to_picture(screen));
        size.x > 1.0 && (low.x > 2.0 || low.y > 2.0 || high.x < size.x - 2.0 || high.y < size.y - 2.0)
    });
    let map = NodeRef::<html::Div>::new();
    let centre = move |event: ev::PointerEvent| {
        let Some(map) = map.get_untracked() else { return };
        let rect = map.get_bounding_client_rect();
        let scale = scale.get_untracked();
        let x = (f64::from(event.client_x()) - rect.left()) / scale;
        let y = (f64::from(event.client_y()) - rect.top()) / scale;
        let screen = drawing.screen.get_untracked();
        drawing.look(ui, |camera| Camera {
            shift: Point::new(screen.x / 2.0 - x * camera.scale, screen.y / 2.0 - y * camera.scale),
            ..camera
        });
    };
    let boxes = move || {
        let scale = scale.get();
        drawing.plot.with(|plot| {
            let rect = |corner: &Point| {
                view! {
                    <rect x=px(corner.x * scale).to_string() y=px(corner.y * scale).to_string()
                        width=px(BOX.x * scale).to_string() height=px(BOX.y * scale).to_string() />
                }
            };
            plot.picture.corners.iter().map(rect).collect_view()
        })
    };
    let seen = Memo::new(move |_| {
        let (camera, screen, scale) = (drawing.camera.get(), drawing.screen.get(), scale.get());
        let (low, high) = (camera.to_picture(Point::default()), camera.to_picture(screen));
        [low.x * scale, low.y * scale, (high.x - low.x) * scale, (high.y - low.y) * scale]
    });
    let seen_part = move |part: usize| px(seen.with(|s| s.get(part).copied().unwrap_or_default())).to_string();
    let width = move || px(drawing.plot.with(|p| p.picture.size.x) * scale.get()).to_string();
    let height = move || px(drawing.plot.with(|p| p.picture.size.y) * scale.get()).to_string();
    view! {
        <Show when=move || needed.get()>
            <div class="minimap" aria-hidden="true" node_ref=map on:pointerdown=centre>
                <svg width=width height=height>
                    {boxes}
                    <rect class="seen" x=move || seen_part(0) y=move || seen_part(1) width=move || seen_part(2) height=move || seen_part(3) />
                </svg>
            </div>
        </Show>
    }
}
