"""Owns the shell side of completion: each script asks `celsched __complete` and quotes what it inserts.

Names may hold spaces and any Unicode; Typer's own scripts break them at spaces.
"""

BASH = r"""# bash completion of celsched: source <(celsched completion bash)
_celsched_complete() {
    local line value word prefix
    local -a words
    COMPREPLY=()
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    [ "${#words[@]}" -eq 0 ] && words=("")
    # What stands on the line is still quoted; xargs-like splitting is not needed, each word is unquoted by itself.
    local i
    for i in "${!words[@]}"; do
        word="${words[i]}"
        case "$word" in
            \"*) word="${word#\"}"; word="${word%\"}" ;;
            \'*) word="${word#\'}"; word="${word%\'}" ;;
            *) word="${word//\\/}" ;;
        esac
        words[i]="$word"
    done
    prefix="${COMP_WORDS[COMP_CWORD]}"
    while IFS= read -r line; do
        value="${line%%$'\t'*}"
        case "$prefix" in
            \"* | \'*) COMPREPLY+=("$value") ;;
            *) COMPREPLY+=("$(printf '%q' "$value")") ;;
        esac
    done < <(command celsched __complete -- "${words[@]}" 2>/dev/null)
    [ "${#COMPREPLY[@]}" -gt 0 ] && compopt +o default 2>/dev/null
    return 0
}
complete -o default -F _celsched_complete celsched
"""

ZSH = r"""#compdef celsched
# zsh completion of celsched: source <(celsched completion zsh)
_celsched() {
    local line value remark
    local -a asked values shown
    asked=("${(@Q)words[2,CURRENT]}")
    while IFS= read -r line; do
        value="${line%%$'\t'*}"
        remark=""
        [[ "$line" == *$'\t'* ]] && remark="${line#*$'\t'}"
        values+=("$value")
        if [[ -n "$remark" ]]; then shown+=("$value -- $remark"); else shown+=("$value"); fi
    done < <(command celsched __complete -- "${asked[@]}" 2>/dev/null)
    if (( ${#values} )); then
        compadd -l -d shown -a values
    else
        _files
    fi
}
if [[ "$funcstack[1]" == _celsched ]]; then _celsched "$@"; else compdef _celsched celsched; fi
"""

FISH = r"""# fish completion of celsched: celsched completion fish | source
function __celsched_complete
    set -l words (commandline -opc) (commandline -ct | string unescape; or commandline -ct)
    command celsched __complete -- $words[2..-1] 2>/dev/null
end
complete -c celsched -f -a '(__celsched_complete)'
complete -c celsched -n 'test -z "(__celsched_complete)"' -F
"""
