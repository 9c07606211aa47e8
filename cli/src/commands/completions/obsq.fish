# Completion of obsq for fish: every Tab asks `obsq __complete`.
function __obsq_complete
    set -l lines (command obsq __complete fish -- (commandline -cp | string collect) 2>/dev/null </dev/null)
    if test "$lines[1]" = files
        __fish_complete_path (commandline -ct)
        return
    end
    string join \n -- $lines[2..-1]
end
complete -c obsq -f -a '(__obsq_complete)'
