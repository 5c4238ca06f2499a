# postroad.bash - completion for bash: into /usr/share/bash-completion/completions/postroad.
#
# The program is asked what it knows when the key is pressed (--help, --list-options), so this file
# needs no list of commands or options, and never an update.

# Commands, or the modes of one, stand with two blanks before them.
_postroad_names() { sed -nE '/^Examples:/q; s/^  ([a-z][a-z-]*)  .*/\1/p'; }

# "usage: postroad user add|passwd|... NAME, or list [OPTION...]"
_postroad_verbs() {
    local usage
    usage=$("$@" --help 2>/dev/null | sed -nE '1s/^usage: (postroad )+[a-z]+ //p')
    case $usage in
    MODE*) "$@" --help 2>/dev/null | _postroad_names ;;
    login*) echo login ;;
    *\|*) tr ' |,' '\n\n\n' <<<"${usage%%\[*}" | grep -E '^[a-z]+$' | grep -vx or ;;
    esac
}

# What may stand behind OPTION: words, as its meaning lists them ("off, optional or required"), or
# what kind of thing its value is.
_postroad_values() {
    local option=$1 name brief value environment meaning
    while IFS=$'\x1f' read -r name brief value environment meaning; do
        [ "$option" = "$name" ] || [ "$option" = "$brief" ] || continue
        case $value in
        WORD | WORDS | STATUS | STEP)
            grep -oE '[a-z]+((, ?| or )[a-z]+)+' <<<"$meaning" | tr ', ' '\n\n' | grep -vxE 'or|'
            ;;
        FILE | PATH) echo @file ;;
        DIR) echo @folder ;;
        '') return 1 ;;
        *) echo @other ;;
        esac
        return 0
    done < <(tr '\t' '\037')
    return 1
}

_postroad() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    local command=("${COMP_WORDS[0]}" "${COMP_WORDS[1]}") options verbs
    COMPREPLY=()
    # --tls=verified is three words here.
    [ "$current" != = ] || current=
    [ "$before" != = ] || before=${COMP_WORDS[COMP_CWORD - 2]}

    if [ "$COMP_CWORD" = 1 ]; then
        words=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed '/^Try it/,$d' | _postroad_names)
        mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$current")
        return
    fi
    verbs=$(_postroad_verbs "${command[@]}")
    if [ -n "$verbs" ] && [ "$COMP_CWORD" = 2 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs --help" -- "$current")
        return
    fi
    [ -z "$verbs" ] || command+=("${COMP_WORDS[2]}")
    options=$("${command[@]}" --list-options 2>/dev/null) || return

    if words=$(_postroad_values "$before" <<<"$options"); then
        case $words in
        @file) compopt -o default 2>/dev/null ;;
        @folder) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        @other) ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
        esac
        return
    fi
    case $current in
    -*)
        words=$(cut -f1,2 <<<"$options" | tr '\t' '\n' | grep '^-')
        mapfile -t COMPREPLY < <(compgen -W "$words --help" -- "$current")
        ;;
    *) # a queue id, an account; nothing when no server answers
        case ${COMP_WORDS[1]} in
        queue) words=$("${COMP_WORDS[0]}" queue list --json 2>/dev/null | sed -nE 's/.*"id": "([^"]*)".*/\1/p') ;;
        user) words=$("${COMP_WORDS[0]}" user list --json 2>/dev/null | sed -nE 's/.*"name": "([^"]*)".*/\1/p') ;;
        *) return ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        ;;
    esac
}

complete -F _postroad postroad
