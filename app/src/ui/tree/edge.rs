//! The lines of the tree: how far a replica is behind, and whether anything flows.

use leptos::prelude::*;

use super::drawing::Drawing;
use super::picture::Line;
use crate::InstanceKey;
use crate::ui::model::decimal::px;
use crate::ui::model::server::edge;
use crate::ui::model::shape::ExtraEdge;
use crate::ui::state::Ui;

/// The line from a server to its source; nothing for a root.
#[component]
pub fn Edge(ui: Ui, drawing: Drawing, key: InstanceKey) -> impl IntoView {
    let place = key.clone();
    let line = Memo::new(move |_| {
        drawing.plot.with(|plot| {
            let at = plot.place(&place)?;
            let parent = plot.forest.nodes.get(at)?.parent?;
            Some(plot.picture.line(parent, at))
        })
    });
    let moved = key.clone();
    // The edge that a plan takes away, or (in the view of afterwards) the one it makes.
    let planned = Memo::new(move |_| ui.work.plan().is_some_and(|p| p.moves.iter().any(|m| m.server == moved)));
    let facts = Memo::new(move |_| {
        let limit = ui.cluster.settings.with(|s| s.reasonable_lag_seconds);
        ui.cluster.server(&key).map(|s| s.with(|s| edge(s, limit)))
    });
    let class = move || {
        let facts = facts.get();
        let mut class = format!("edge {}", facts.as_ref().map_or("", |f| f.tone.class()));
        for (on, name) in [
            (facts.as_ref().is_some_and(|f| f.broken), " broken"),
            (facts.as_ref().is_some_and(|f| f.detached), " detached"),
            (facts.as_ref().is_some_and(|f| f.semi_sync), " semi-sync"),
            (planned.get(), if ui.work.afterwards.get() { " arriving" } else { " leaving" }),
        ] {
            if on {
                class.push_str(name);
            }
        }
        class
    };
    let text = move || {
        facts.get().map(|f| {
            let marks = [(f.broken, "✕ "), (f.semi_sync && !f.broken, "semi-sync ")];
            let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
            format!("{marks}{}{}", f.label, if f.tls { " · TLS" } else { "" })
        })
    };
    let shown = Memo::new(move |_| line.with(Option::is_some));
    move || {
        shown.get().then(|| {
            let part = move |read: fn(&Line) -> String| line.with(|l| l.as_ref().map(read).unwrap_or_default());
            view! {
                <g class=class>
                    <path d=move || part(|l| l.path.clone()) fill="none" />
                    <text x=move || part(|l| px(l.label.x).to_string()) y=move || part(|l| px(l.label.y).to_string())
                        text-anchor=move || part(|l| l.anchor.to_owned()) dominant-baseline="middle">{text}</text>
                </g>
            }
        })
    }
}

/// The lines that a plan would make, while the tree shows the present.
#[component]
pub fn PlannedEdges(ui: Ui, drawing: Drawing) -> impl IntoView {
    let paths = Memo::new(move |_| {
        if ui.work.afterwards.get() {
            return Vec::new();
        }
        let moves = ui.work.plan().map(|p| p.moves).unwrap_or_default();
        drawing.plot.with(|plot| {
            let place = |key: &InstanceKey| plot.place(key);
            let ends = moves.iter().filter_map(|m| Some((place(&m.to)?, place(&m.server)?)));
            ends.map(|(from, to)| plot.picture.bow(from, to).path).collect::<Vec<_>>()
        })
    });
    view! {
        <g class="edge planned">
            {move || paths.get().into_iter().map(|path| view! { <path d=path fill="none" /> }).collect_view()}
        </g>
    }
}

/// The closing lines of rings, and further channels.
#[component]
pub fn ExtraEdges(drawing: Drawing) -> impl IntoView {
    let lines = Memo::new(move |_| {
        drawing.plot.with(|plot| {
            let line = |e: &ExtraEdge| (plot.picture.bow(e.source, e.replica), e.ring);
            plot.forest.extra.iter().map(line).collect::<Vec<_>>()
        })
    });
    move || {
        lines
            .get()
            .into_iter()
            .map(|(line, ring)| {
                view! {
                    <g class="edge extra">
                        <path d=line.path fill="none" />
                        <text x=px(line.label.x).to_string() y=px(line.label.y).to_string() text-anchor="middle">
                            {if ring { "ring" } else { "channel" }}
                        </text>
                    </g>
                }
            })
            .collect_view()
    }
}
