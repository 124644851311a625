"""Directives that every rule with a script has alike, and a check that results are those of these rules."""

for each in workflow.rules:
    if each.script:
        wildcards = dict.fromkeys(re.findall(r"{(\w+)", str(each.log)))
        label = " ".join([each.name, *(f"{{wildcards.{name}}}" for name in wildcards)])
        each.message = f"[{label}] {each.docstring.splitlines()[0]}"
        each.set_params(code=code_of(f"scripts/{each.name}.py"))
        each.conda_env = "../envs/monosem.yaml"  # used under --sdm conda

OUTPUTS = [path for each in workflow.rules for path in each.output]
if workflow.is_main_process and not WITHIN_A_RUN and not {"--touch", "--unlock"} & set(sys.argv):
    try:
        places.require_own_results(RESULTS, SNAKEMAKE, lambda path: any(output.match(path) for output in OUTPUTS))
    except places.Unusable as error:
        sys.exit(str(error))
