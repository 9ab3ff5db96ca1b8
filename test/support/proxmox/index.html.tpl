<!DOCTYPE html>
<!-- Stand-in for pve-manager's index.html.tpl: the same scripts and styles under the same addresses, on ExtJS 6.2.0. -->
<html>
  <head>
    <meta charset="utf-8">
    <title>[% nodename %] - Proxmox Virtual Environment</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/pve2/ext6/classic/theme-crisp/resources/theme-crisp-all.css">
    <link rel="stylesheet" href="/pve2/ext6/packages/charts/classic/crisp/resources/charts-all.css">
    <link rel="stylesheet" href="/pve2/ext6/packages/font-awesome/resources/font-awesome-all.css">
    <link rel="stylesheet" href="/pwt/css/ext6-pmx.css">
    <link rel="stylesheet" media="(prefers-color-scheme: dark)" href="/pwt/themes/theme-proxmox-dark.css">
    <script>
      function gettext(message) { return message; }
      function ngettext(singular, plural, count) { return count === 1 ? singular : plural; }
      PVE = { caps: [% caps %] };
      Proxmox = { Setup: { auth_cookie_name: 'PVEAuthCookie' }, NodeName: '[% nodename %]', UserName: '[% username %]', CSRFPreventionToken: '[% token %]' };
    </script>
    <script src="/pve2/ext6/ext-all.js"></script>
    <script src="/pve2/ext6/packages/charts/classic/charts.js"></script>
    <script type="text/javascript" src="/proxmoxlib.js"></script>
    <script type="text/javascript" src="/proxmoxlib-tasks.js"></script>
    <script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=[% version %]"></script>
    <script>
      Ext.onReady(function () { Ext.create('PVE.StdWorkspace'); });
    </script>
  </head>
  <body></body>
</html>
