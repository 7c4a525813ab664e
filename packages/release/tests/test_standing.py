import pytest
from packaging.version import Version
from release import changelog
from release.errors import ReleaseError
from release.repository import Repository
from release.standing import affected, standing
from release.workspace import read_workspace


def look(workspace, name):
    found = read_workspace(workspace.root)
    return standing(found, Repository(workspace.root), found.part(name))


def test_a_part_that_nobody_released_has_no_last_version(workspace):
    found = look(workspace, "flows")

    assert (found.last, found.following) == (None, None)
    assert [commit.subject for commit in found.own] == ["Begin"]


def test_commits_count_for_a_part_and_for_what_builds_on_it(workspace):
    workspace.git("tag", "flows-v0.1.0")
    workspace.git("tag", "bridge-v2.0.0")
    workspace.commit("Mend the bridge", "packages/bridge/a.py")
    workspace.commit("Mend the flows", "packages/flows/a.py")
    workspace.commit("Write", "docs/a.md")

    flows, bridge = look(workspace, "flows"), look(workspace, "bridge")

    assert (flows.last, bridge.last) == (Version("0.1.0"), Version("2.0.0"))
    assert [each.subject for each in flows.own] == ["Mend the flows"]
    assert [each.subject for each in flows.below] == ["Mend the bridge"]
    assert [each.subject for each in bridge.own] == ["Mend the bridge"]
    assert bridge.below == ()


def test_a_tag_of_another_line_of_history_does_not_count(workspace):
    workspace.git("checkout", "--quiet", "-b", "side")
    workspace.commit("Aside", "packages/flows/side.py")
    workspace.git("tag", "flows-v9.0.0")
    workspace.git("checkout", "--quiet", "-")

    assert look(workspace, "flows").last is None


def test_a_tag_without_a_version_is_named(workspace):
    workspace.git("tag", "flows-vnext")

    with pytest.raises(ReleaseError, match="flows-vnext names no version"):
        look(workspace, "flows")


@pytest.mark.parametrize(
    ("last", "kinds", "following"),
    [
        (None, ["added"], "0.1.0"),
        (None, ["fixed"], "0.1.0"),
        ("0.3.1", ["fixed", "security"], "0.3.2"),
        ("0.3.1", ["fixed", "added"], "0.4.0"),
        ("0.3.1", ["changed"], "0.4.0"),
        ("1.3.1", ["removed", "fixed"], "2.0.0"),
        ("1.3.1", ["deprecated"], "1.4.0"),
        ("1.3.1", [], None),
    ],
)
def test_the_kinds_of_change_make_the_next_version(last, kinds, following):
    entries = {kind: ["x"] for kind in kinds}

    found = changelog.next_version(Version(last) if last else None, entries)

    assert found == (Version(following) if following else None)


def test_an_entry_below_an_unknown_heading_is_refused(workspace):
    workspace.write(
        "packages/flows/CHANGELOG.md", "# C\n\n## [Unreleased]\n### Improved\n- faster\n"
    )

    with pytest.raises(ReleaseError, match="below improved"):
        look(workspace, "flows")


@pytest.mark.parametrize(
    ("files", "members"),
    [
        (["packages/flows/a.py"], {"flows"}),
        (["packages/bridge/a.py"], {"flows", "bridge"}),
        (["uv.lock", "packages/flows/a.py"], {"flows", "bridge"}),
        (["docs/a.md", "README.md"], set()),
    ],
)
def test_a_change_asks_for_the_tests_of_what_it_can_break(workspace, files, members):
    assert set(affected(read_workspace(workspace.root), files)) == members


def test_a_part_with_an_unknown_member_is_refused(workspace):
    text = (workspace.root / "pyproject.toml").read_text()
    workspace.write("pyproject.toml", text.replace('["flows"]', '["flow"]'))

    with pytest.raises(ReleaseError, match="names flow, which is no member"):
        read_workspace(workspace.root)
