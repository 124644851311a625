"""Directives that are the same for every rule with a script, set once all are read: environment and message."""

for each in workflow.rules:
    if each.script:
        wildcards = dict.fromkeys(re.findall(r"{(\w+)", str(each.log)))
        label = " ".join([each.name, *(f"{{wildcards.{name}}}" for name in wildcards)])
        each.message = f"[{label}] {each.docstring.splitlines()[0]}"
        each.conda_env = "../envs/monosem.yaml"  # used under --sdm conda
