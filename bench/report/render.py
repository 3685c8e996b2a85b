"""Figures as text for the terminal and as Markdown for the document."""
import re


def number(value, unit):
    if unit == "bytes":
        return f"{value:,.0f}"
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def cell(figures, row, table, suffix):
    value = figures.get(row.prefix + suffix)
    if value is None:
        return "–"
    text = number(value, table.unit)
    base = figures.get(table.baseline + suffix) if table.baseline else None
    if base and row.prefix != table.baseline:
        text += f" ({value / base:.2f}x)"
    return text


def row_label(row, context):
    version = context.get(row.version) if row.version else None
    return f"{row.label} {version.replace('_', '.')}" if version else row.label


def table_cells(table, figures, context):
    """Headings and lines. A row without any figure says that its peer is not there."""
    lines = [[f"{table.unit}", *(heading for heading, _ in table.columns)]]
    for row in table.rows:
        cells = [cell(figures, row, table, suffix) for _, suffix in table.columns]
        if all(text == "–" for text in cells):
            why = "not installed" if row.version and row.version not in context else "not measured"
            cells = [why] + [""] * (len(cells) - 1)
        lines.append([row_label(row, context), *cells])
    return lines


def goal_cells(section, figures):
    lines = [["goal", "at most", "measured", ""]]
    for goal in section.goals:
        value = goal.measured(figures)
        unit = "x" if goal.over else f" {goal.unit}"
        shown = "–" if value is None else number(value, "" if goal.over else goal.unit) + unit
        if goal.paired and value is not None:
            shown += f" ({goal.pairs(figures, 'lower'):.2f} to {goal.pairs(figures, 'upper'):.2f})"
        if goal.labels and value is not None:
            fastest, missing = goal.fastest(figures)
            shown += f" {fastest}" + "".join(f", {label} not measured" for label in missing)
        limit = f"{goal.at_most:,g}{unit}"
        lines.append([goal.text, limit, shown, goal.verdict(figures).value])
    return lines


def markdown_table(lines):
    head, *body = lines
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for line in body:
        yield "| " + " | ".join(line) + " |"


def text_table(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        yield "  ".join([line[0].ljust(widths[0]),
                         *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))]).rstrip()


def text_report(sections, figures, context):
    for section in sections:
        yield from ("", section.title, "=" * len(section.title))
        for table in section.tables:
            yield from ("", table.title, *text_table(table_cells(table, figures, context)))
        if section.goals:
            yield from ("", *text_table(goal_cells(section, figures)))


HEAD = """# Benchmarks

Written by `bench/compare`, section by section; do not edit. Figures compare within a section only:
another machine has others, and a busy machine disturbs all of them. In brackets: how many times
the row that it is compared with. A dash: the peer cannot do that, or it is not measured."""


def section_lines(section, figures, context, facts):
    """A section of the document. `facts` are ordered (what, value) pairs: where, when and how."""
    yield from (f"## {section.title}", "")
    if section.text:
        yield from (section.text.strip(), "")
    if section.goals:
        yield from ("### Goals", "", *markdown_table(goal_cells(section, figures)), "")
    for table in section.tables:
        yield from (f"### {table.title}", "")
        if table.note:
            yield from (table.note.strip(), "")
        yield from (*markdown_table(table_cells(table, figures, context)), "")
    if section.notes:
        yield from ("### Notes", "", section.notes.strip(), "")
    yield from ("### How it was measured", "", "| | |", "| --- | --- |",
                *(f"| {what} | {value} |" for what, value in facts))


def split(document):
    """{title: text} of the sections of a document that was written before."""
    parts = re.split(r"^## (.+)$", document, flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2])}


def document(sections, made, before=""):
    """The whole document: what was `made` now ({title: text}), and of the rest what stood `before`."""
    texts = {**split(before), **split(made)}
    parts = [f"## {section.title}\n\n{texts[section.title]}" for section in sections
             if section.title in texts]
    return "\n\n".join([HEAD, *parts]) + "\n"
