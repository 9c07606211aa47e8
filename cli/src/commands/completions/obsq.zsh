#compdef obsq
# Completion of obsq for zsh: every Tab asks `obsq __complete`.
_obsq() {
    local how front
    local -a lines inserts shown
    front="${(j: :)words[1,CURRENT-1]} ${words[CURRENT][1,-1-${#SUFFIX}]}"
    lines=("${(@f)$("$words[1]" __complete zsh -- "$front" 2>/dev/null </dev/null)}")
    how=$lines[1]
    shift lines
    if [[ $how == files ]]; then
        _files
        return
    fi
    inserts=("${(@)lines%%$'\t'*}")
    shown=("${(@)lines#*$'\t'}")
    (( ${#lines} )) || return 1
    if [[ $how == more ]]; then
        compadd -S '' -l -d shown -a inserts
    else
        compadd -l -d shown -a inserts
    fi
}
if [[ $funcstack[1] == _obsq ]]; then
    _obsq "$@"
else
    compdef _obsq obsq
fi
