/** What each shell needs to ask `wherry __complete`. */
const bash = `# bash completion for wherry: source <(wherry completion bash)
_wherry() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" words=("\${COMP_WORDS[@]:1:COMP_CWORD}") line files=
  # Bash splits at colons and equals signs; put the words together again.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cword all
    _get_comp_words_by_ref -n =: cur cword
    _get_comp_words_by_ref -n =: -w all
    words=("\${all[@]:1:cword}")
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then files=1; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
  if [ -n "$files" ]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
  fi
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _wherry wherry
`;

const zsh = `#compdef wherry
# zsh completion for wherry: source <(wherry completion zsh)
_wherry() {
  local -a candidates
  local line files=
  while IFS= read -r line; do
    if [[ "$line" == ":files" ]]; then files=1; continue; fi
    local text="\${line%%$'\\t'*}" hint=
    [[ "$line" == *$'\\t'* ]] && hint="\${line#*$'\\t'}"
    candidates+=("\${text//:/\\\\:}\${hint:+:$hint}")
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#candidates} )) && _describe 'wherry' candidates
  [[ -n "$files" ]] && _files
}
if [ "$funcstack[1]" = "_wherry" ]; then _wherry; else compdef _wherry wherry; fi
`;

const fish = `# fish completion for wherry: wherry completion fish | source
function __wherry_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c wherry -f -a '(__wherry_complete)'
`;

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish };
