# Completion of obsq for bash: every Tab asks `obsq __complete`.
_obsq() {
    local how reply
    local -a lines flags=()
    # With 63 readline only wants a list to show.
    [[ $COMP_TYPE == 63 ]] && flags=(--list)
    reply=$("$1" __complete "${flags[@]}" bash -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null) || return
    mapfile -t lines <<<"$reply"
    how=${lines[0]}
    COMPREPLY=("${lines[@]:1}")
    case $how in
        more) compopt -o nospace 2>/dev/null ;;
        files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    esac
}
complete -F _obsq obsq
