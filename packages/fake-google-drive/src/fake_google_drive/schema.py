"""Parameter and field names of the Drive v3 interface, from its discovery document."""

from __future__ import annotations

from typing import Any

__all__ = ["FLAGS", "PARAMETERS", "RESOURCES"]

Known = dict[str, Any]


def _names(text: str, **below: Known) -> Known:
    return {name: below.get(name) for name in text.split()}


_USER = _names("displayName emailAddress kind me permissionId photoLink")
_CAPABILITIES = _names(
    """
    canAcceptOwnership canAccessViaGenAi canAddChildren canAddFolderFromAnotherDrive
    canAddMyDriveParent canChangeCopyRequiresWriterPermission canChangeItemDownloadRestriction
    canChangeSecurityUpdateEnabled canChangeViewersCanCopyContent canComment canCopy canDelete
    canDeleteChildren canDisableInheritedPermissions canDownload canEdit
    canEnableInheritedPermissions canListChildren canModifyContent canModifyContentRestriction
    canModifyEditorContentRestriction canModifyLabels canModifyOwnerContentRestriction
    canMoveChildrenOutOfDrive canMoveChildrenOutOfTeamDrive canMoveChildrenWithinDrive
    canMoveChildrenWithinTeamDrive canMoveItemIntoTeamDrive canMoveItemOutOfDrive
    canMoveItemOutOfTeamDrive canMoveItemWithinDrive canMoveItemWithinTeamDrive
    canMoveTeamDriveItem canReadDrive canReadLabels canReadRevisions canReadTeamDrive
    canRemoveChildren canRemoveContentRestriction canRemoveMyDriveParent canRename canShare
    canStartApproval canTrash canTrashChildren canUntrash
    """
)
_FILE = _names(
    """
    appProperties capabilities clientEncryptionDetails contentHints contentRestrictions
    copyRequiresWriterPermission createdTime description downloadRestrictions driveId
    explicitlyTrashed exportLinks fileExtension folderColorRgb fullFileExtension
    hasAugmentedPermissions hasThumbnail headRevisionId iconLink id imageMediaMetadata
    inheritedPermissionsDisabled isAppAuthorized kind labelInfo lastModifyingUser
    linkShareMetadata md5Checksum mimeType modifiedByMe modifiedByMeTime modifiedTime name
    originalFilename ownedByMe owners parents permissionIds permissions properties
    quotaBytesUsed resourceKey sha1Checksum sha256Checksum shared sharedWithMeTime sharingUser
    shortcutDetails size spaces starred teamDriveId thumbnailLink thumbnailVersion trashed
    trashedTime trashingUser version videoMediaMetadata viewedByMe viewedByMeTime
    viewersCanCopyContent webContentLink webViewLink writersCanShare
    """,
    capabilities=_CAPABILITIES,
    lastModifyingUser=_USER,
    owners=_USER,
    sharingUser=_USER,
    shortcutDetails=_names("targetId targetMimeType targetResourceKey"),
    trashingUser=_USER,
)
_PERMISSION = _names(
    """
    allowFileDiscovery deleted displayName domain emailAddress expirationTime id
    inheritedPermissionsDisabled kind pendingOwner permissionDetails photoLink role
    teamDrivePermissionDetails type view
    """
)
_DRIVE = _names(
    """
    backgroundImageFile backgroundImageLink capabilities colorRgb createdTime hidden id kind
    name orgUnitId restrictions themeId
    """
)
_CHANGE = _names(
    """
    changeType drive driveId file fileId kind removed teamDrive teamDriveId time type
    """,
    drive=_DRIVE,
    file=_FILE,
)

RESOURCES: dict[str, Known] = {
    "About": _names(
        """
        appInstalled canCreateDrives canCreateTeamDrives driveThemes exportFormats
        folderColorPalette importFormats kind maxImportSizes maxUploadSize storageQuota
        teamDriveThemes user
        """,
        user=_USER,
    ),
    "ChangeList": _names("changes kind newStartPageToken nextPageToken", changes=_CHANGE),
    "Channel": _names(
        "address expiration id kind params payload resourceId resourceUri token type"
    ),
    "Drive": _DRIVE,
    "DriveList": _names("drives kind nextPageToken", drives=_DRIVE),
    "File": _FILE,
    "FileList": _names("files incompleteSearch kind nextPageToken", files=_FILE),
    "Operation": _names("done error metadata name response"),
    "Permission": _PERMISSION,
    "PermissionList": _names("kind nextPageToken permissions", permissions=_PERMISSION),
    "StartPageToken": _names("kind startPageToken"),
}

_ALL_DRIVES = "supportsAllDrives supportsTeamDrives"
_ITEMS = f"{_ALL_DRIVES} driveId includeItemsFromAllDrives includeTeamDriveItems teamDriveId"
_MORE = "includeLabels includePermissionsForView"
_PAGES = "pageSize pageToken"
_CHANGES = (
    f"{_ITEMS} {_MORE} {_PAGES} includeCorpusRemovals includeRemoved restrictToMyDrive spaces"
)
_WRITES = f"{_ALL_DRIVES} {_MORE} enforceSingleParent keepRevisionForever ocrLanguage"
_PERMISSIONS = f"{_ALL_DRIVES} useDomainAdminAccess"
PARAMETERS: dict[str, frozenset[str]] = {
    method: frozenset(names.split())
    for method, names in {
        "about.get": "",
        "changes.getStartPageToken": f"{_ALL_DRIVES} driveId teamDriveId",
        "changes.list": _CHANGES,
        "changes.watch": _CHANGES,
        "channels.stop": "",
        "drives.get": "useDomainAdminAccess",
        "drives.list": f"{_PAGES} q useDomainAdminAccess",
        "files.copy": f"{_WRITES} copyComments ignoreDefaultVisibility",
        "files.create": f"{_WRITES} ignoreDefaultVisibility useContentAsIndexableText",
        "files.delete": f"{_ALL_DRIVES} enforceSingleParent",
        "files.download": "mimeType revisionId",
        "files.export": "mimeType",
        "files.get": f"{_ALL_DRIVES} {_MORE} acknowledgeAbuse",
        "files.list": f"{_ITEMS} {_MORE} {_PAGES} corpora corpus orderBy q spaces",
        "files.update": f"{_WRITES} addParents removeParents useContentAsIndexableText",
        "operations.get": "",
        "permissions.create": f"{_PERMISSIONS} emailMessage enforceExpansiveAccess "
        "enforceSingleParent moveToNewOwnersRoot sendNotificationEmail transferOwnership",
        "permissions.delete": f"{_PERMISSIONS} enforceExpansiveAccess",
        "permissions.list": f"{_PERMISSIONS} {_PAGES} includePermissionsForView",
    }.items()
}
FLAGS = frozenset(
    """
    acknowledgeAbuse copyComments enforceExpansiveAccess enforceSingleParent
    ignoreDefaultVisibility includeCorpusRemovals includeItemsFromAllDrives includeRemoved
    includeTeamDriveItems keepRevisionForever moveToNewOwnersRoot restrictToMyDrive
    sendNotificationEmail supportsAllDrives supportsTeamDrives transferOwnership
    useContentAsIndexableText useDomainAdminAccess
    """.split()  # noqa: SIM905 - names, as above
)
