/**
 * What a shell loads to complete `canalctl`. Each script asks the program itself, `canalctl __complete WORD…`, which
 * answers as complete.ts describes: a new option needs no new script.
 */
export const SHELLS = ['bash', 'zsh', 'fish', 'kubectl'] as const;

export type Shell = (typeof SHELLS)[number];

const BASH = `# bash completion of canalctl (bash 4.3 or later)
_canalctl() {
  local -a words=() lines=()
  local word glue='' option='' line value
  # bash takes --output=json for three words, and a:80 too.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if ((\${#words[@]} > 0)) && [[ -n $glue || $word =~ ^[=:]+$ ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    glue=''
    if [[ $word =~ ^[=:]+$ ]]; then glue=1; fi
  done
  local whole=\${words[-1]} typed=\${COMP_WORDS[COMP_CWORD]}
  if [[ -n $glue ]]; then typed=''; fi
  if [[ $whole == --*=* ]]; then option=\${whole%%=*}=; fi
  # What stands before the part that bash replaces.
  local skip=$((\${#whole} - \${#typed}))
  COMPREPLY=()
  mapfile -t lines < <("$1" __complete "\${words[@]}" 2>/dev/null)
  for line in "\${lines[@]}"; do
    case $line in
      :0) ;;
      :*) compopt +o default ;;
      *)
        value=$option\${line%%$'\\t'*}
        COMPREPLY+=("\${value:skip}")
        ;;
    esac
  done
}
complete -o default -F _canalctl canalctl
`;

const ZSH = `#compdef canalctl
# zsh completion of canalctl
_canalctl() {
  local -a lines described
  local line word files=0
  lines=("\${(@f)$("$words[1]" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${lines[@]}"; do
    case $line in
      (:0) files=1 ;;
      (:*) ;;
      (*$'\\t'*)
        word=\${line%%$'\\t'*}
        described+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
        ;;
      (?*) described+=("\${line//:/\\\\:}") ;;
    esac
  done
  if [[ $PREFIX == --*=* ]]; then compset -P '*='; fi
  if (( $#described )); then _describe canalctl described; fi
  if (( files )); then _files; fi
}
if [[ $funcstack[1] == _canalctl ]]; then
  _canalctl "$@"
else
  compdef _canalctl canalctl
fi
`;

const FISH = `# fish completion of canalctl
function __canalctl_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l option (string match -r -- '^--[^=]+=' "$typed")
    for line in ($program __complete $words "$typed" 2>/dev/null)
        switch "$line"
            case ':0'
                for path in (__fish_complete_path (string replace -r -- '^--[^=]+=' '' "$typed"))
                    printf '%s\\n' "$option$path"
                end
            case ':*'
            case '*'
                printf '%s\\n' "$option$line"
        end
    end
end
complete -c canalctl -f -a '(__canalctl_complete)'
`;

/** kubectl asks an executable of this name for the words after `kubectl canal`. */
const KUBECTL = `#!/bin/sh
# Completion of "kubectl canal": kubectl runs it as kubectl_complete-canal.
exec kubectl-canal __complete "$@"
`;

export const SHELL_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH, kubectl: KUBECTL };
