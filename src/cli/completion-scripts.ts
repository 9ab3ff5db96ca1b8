/** What the shells load. They only ask `pve-cni __complete SHELL WORD…` (the last word is the one being typed) and offer
 *  the lines it prints, so that both know the same and always what is true now. */
export const completionScripts = {
  bash: `# completion of pve-cni for bash
_pve_cni() {
  mapfile -t COMPREPLY < <(pve-cni __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _pve_cni pve-cni
`,
  zsh: `#compdef pve-cni
# completion of pve-cni for zsh
_pve_cni() {
  local -a candidates
  candidates=("\${(@f)$(pve-cni __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- \${candidates:#}
}
if [ "\${funcstack[1]}" = "_pve_cni" ]; then
  _pve_cni
else
  compdef _pve_cni pve-cni
fi
`,
  fish: `# completion of pve-cni for fish
function __pve_cni
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    pve-cni __complete fish $words 2>/dev/null
end
complete -c pve-cni -f -a '(__pve_cni)'
`,
} as const;
export type Shell = keyof typeof completionScripts;
