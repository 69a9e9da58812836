//! The history as a drawing of lanes beside its lines, as `git log --graph` lays it out.
//!
//! Each revision that is still to come has a lane, a column two characters wide. A revision is a star in its lane; a
//! merge point opens further lanes by `|\`, and lanes that lead to one revision join to the left by `|/`.

use std::collections::BTreeMap;

use super::{Node, RevisionGraph};

impl RevisionGraph {
    /// The lines of a drawing of `nodes`, which come newest first, each with what `text` says of it, in one line or
    /// several. Only `revises` is drawn, and only to revisions that are among the nodes.
    #[must_use]
    pub fn draw(&self, nodes: &[&Node], text: impl Fn(&Node) -> String) -> Vec<String> {
        let places: BTreeMap<&str, usize> = nodes
            .iter()
            .enumerate()
            .map(|(at, it)| (it.id.as_str(), at))
            .collect();
        let mut drawing = Drawing::default();
        for (at, node) in nodes.iter().enumerate() {
            let parents: Vec<usize> = node
                .down
                .iter()
                .filter_map(|it| places.get(it.as_str()).copied())
                .collect();
            drawing.add(at, &parents, &text(node));
        }
        drawing.finish()
    }
}

/// A drawing as far as it has got.
#[derive(Debug, Default)]
struct Drawing {
    /// What each lane leads to.
    lanes: Vec<usize>,
    lines: Vec<String>,
    /// The rest of the text of the revision that was drawn last, in reverse order.
    text: Vec<String>,
    /// The lane that the slash of the last row led to.
    arrived: Option<usize>,
}

impl Drawing {
    fn add(&mut self, node: usize, parents: &[usize], text: &str) {
        while !self.text.is_empty() {
            let row = self.bars(self.lanes.len());
            self.push(row, 0);
        }
        self.text = text.trim_end().lines().rev().map(str::to_owned).collect();
        let found = self.lanes.iter().position(|&it| it == node);
        let at = found.unwrap_or(self.lanes.len());
        if found.is_none() {
            self.lanes.push(node);
        }
        // A lane that came from the right and goes on to the left is drawn in one stroke.
        let goes_on = |&it: &usize| it > at && parents == [self.lanes[it]];
        let slanting = self.arrived.take().filter(goes_on);
        match parents {
            [] => self.end_lane(at),
            [first, second] if self.lanes[..at].contains(first) => {
                self.star(at, None);
                self.join_left(at, *first);
                self.lanes[at] = *second;
            }
            [first, second] if self.lanes.get(at + 1) == Some(second) => {
                self.star(at, None);
                let mut row = self.bars(self.lanes.len());
                row.put(2 * at + 1, '\\');
                self.push(row, 0);
                self.lanes[at] = *first;
            }
            [first] => {
                self.star(at, slanting);
                self.lanes[at] = *first;
            }
            [first, others @ ..] => self.open_lanes(at, *first, others),
        }
        self.join_lanes();
    }

    fn finish(mut self) -> Vec<String> {
        while !self.text.is_empty() {
            self.push(Row::default(), 0);
        }
        self.lines
    }

    /// The row of the revision in lane `at`; a slanting lane goes on to the left below it.
    fn star(&mut self, at: usize, slanting: Option<usize>) {
        let mut row = self.bars(self.lanes.len());
        row.put(2 * at, '*');
        if let Some(lane) = slanting {
            row.put(2 * lane, '/');
        }
        self.push(row, 0);
    }

    /// A revision that follows nothing: the lanes to its right move up.
    fn end_lane(&mut self, at: usize) {
        self.star(at, None);
        self.lanes.remove(at);
        if at < self.lanes.len() {
            let mut row = self.bars(at);
            for lane in at..self.lanes.len() {
                row.put(2 * lane + 1, '/');
            }
            self.push(row, 0);
        }
    }

    /// The row of a revision that follows `first` in its own lane and `others` in new lanes beside it.
    fn open_lanes(&mut self, at: usize, first: usize, others: &[usize]) {
        let more = others.len();
        // With more than one new lane, those to the right make room first, a lane in each row.
        let early = more.saturating_sub(1);
        let n_lanes = self.lanes.len();
        if at + 1 < n_lanes {
            for shift in 0..early {
                let mut row = self.bars(at + 1);
                for lane in at + 1..n_lanes {
                    row.put(2 * (lane + shift) + 1, '\\');
                }
                self.push(row, 0);
            }
        }
        let mut row = self.bars(at + 1);
        row.put(2 * at, '*');
        for place in 2 * at + 1..2 * (at + early) {
            row.put(place, '-');
        }
        if early > 0 {
            row.put(2 * (at + early), '.');
        }
        for lane in at + 1..n_lanes {
            row.put(2 * (lane + early), '|');
        }
        self.push(row, n_lanes + more);
        if more > 0 {
            let mut row = self.bars(at + 1);
            for lane in at + 1..n_lanes + more {
                row.put(2 * lane - 1, '\\');
            }
            self.push(row, 0);
        }
        self.lanes[at] = first;
        self.lanes.splice(at + 1..at + 1, others.iter().copied());
    }

    /// Joins lanes that lead to one revision, leftmost first.
    fn join_lanes(&mut self) {
        let twice = |lanes: &[usize]| {
            (1..lanes.len())
                .find_map(|at| Some((at, lanes[..at].iter().position(|&it| it == lanes[at])?)))
        };
        while let Some((at, target)) = twice(&self.lanes) {
            let n_lanes = self.lanes.len();
            // The lanes to the right move up while this one goes.
            let mut row = self.bars(at);
            for lane in at + 1..n_lanes {
                row.put(2 * lane - 1, '/');
            }
            self.go_left(row, at, target, n_lanes - 1);
            self.lanes.remove(at);
        }
    }

    /// Leads from lane `at` to the lane of `goal` on its left; lane `at` itself goes on.
    fn join_left(&mut self, at: usize, goal: usize) {
        let target = self.lanes.iter().position(|&it| it == goal).unwrap_or(at);
        let row = self.bars(self.lanes.len());
        self.go_left(row, at, target, self.lanes.len());
    }

    /// The one or two rows from lane `at` to lane `target`, of which `row` is the first; below them stand `n_lanes`.
    fn go_left(&mut self, mut row: Row, at: usize, target: usize, n_lanes: usize) {
        row.put(2 * at - 1, '/');
        for lane in target + 1..at.saturating_sub(1) {
            row.put(2 * lane + 1, '_');
        }
        self.push(row, 0);
        if at - target > 1 {
            let mut row = self.bars(n_lanes);
            row.put(2 * target + 1, '/');
            self.push(row, 0);
        }
        self.arrived = Some(target);
    }

    fn bars(&self, n_lanes: usize) -> Row {
        let mut row = Row::default();
        for lane in 0..n_lanes {
            row.put(2 * lane, '|');
        }
        row
    }

    /// Ends a row with the next line of the text, which begins behind the lanes and those that open now.
    fn push(&mut self, Row(mut row): Row, n_lanes: usize) {
        if let Some(text) = self.text.pop() {
            let width = (2 * n_lanes).max((row.len() + 1).next_multiple_of(2));
            row.resize(width, ' ');
            row.extend(text.chars());
        }
        let line: String = row.into_iter().collect();
        self.lines.push(line.trim_end().to_owned());
    }
}

/// One row of the drawing, a character for each place.
#[derive(Debug, Default)]
struct Row(Vec<char>);

impl Row {
    fn put(&mut self, place: usize, mark: char) {
        if self.0.len() <= place {
            self.0.resize(place + 1, ' ');
        }
        self.0[place] = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Node, RevisionGraph};

    /// Draws revisions `id: parent parent`, newest first, with their ids as text.
    #[track_caller]
    fn check(revisions: &str, expect: &str) {
        let nodes: Vec<Node> = revisions
            .split(',')
            .map(|it| {
                let (id, down) = it.trim().split_once(':').unwrap();
                let down = down.split_whitespace().map(|it| it.parse().unwrap());
                Node::new(id.trim().parse().unwrap(), down.collect())
            })
            .collect();
        let graph = RevisionGraph::new(nodes.clone()).unwrap();
        let shown = graph.draw(&nodes.iter().collect::<Vec<_>>(), |it| it.id.to_string());
        let expect: Vec<_> = expect.trim_matches('\n').lines().collect();
        assert_eq!(shown, expect, "\n{}\n", shown.join("\n"));
    }

    #[test]
    fn one_line_and_a_fork() {
        check("c: b, b: a, a:", "* c\n* b\n* a");
        check(
            "c: a, b: a, a:",
            "
* c
| * b
|/
* a",
        );
    }

    #[test]
    fn a_merge_opens_a_lane_and_a_fork_closes_it() {
        check(
            "m: b c, c: a, b: a, a:",
            "
*   m
|\\
| * c
* | b
|/
* a",
        );
    }

    #[test]
    fn lanes_to_the_right_make_room_and_move_up() {
        check(
            "x: b, y: d, m: b c, c: a, b: a, d: a, a:",
            "
* x
| * y
| | * m
| |/|
|/| |
| | * c
* | | b
| |/
|/|
| * d
|/
* a",
        );
        check(
            "m: c b, n: d c, d: a, c: a, b: a, a:",
            "
*   m
|\\
| | *   n
| | |\\
| |_|/
|/| |
| | * d
* | | c
| |/
|/|
| * b
|/
* a",
        );
    }

    #[test]
    fn several_bases_end_their_lanes() {
        check(
            "b2: b1, a2: a1, b1:, a1:",
            "
* b2
| * a2
* | b1
 /
* a1",
        );
    }

    #[test]
    fn a_merge_of_three() {
        check(
            "m: a b c, c: z, b: z, a: z, z:",
            "
*-.   m
|\\ \\
| | * c
| * | b
| |/
* / a
|/
* z",
        );
    }
}
